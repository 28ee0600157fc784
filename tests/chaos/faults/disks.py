"""A disk that is full, or that cannot be written, below one folder of the workspace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from chaos.faults import CannotInject, Fault, Story
from chaos.installation import DATASET, Installation
from chaos.invariants import clean_end

FOLDERS = ("data", ".dvc", "mlartifacts", "reports", ".autorec")
SMALLEST, LARGEST = 4 << 10, 4 << 20
LONGEST_DELAY = 40.0


def disk_full(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Gives one folder a disk that is full after a few bytes."""
    installation.forget()
    place = installation.root / random.choice(FOLDERS)
    free = int(SMALLEST * (LARGEST / SMALLEST) ** random.random())
    story.tell(f"{place.name} has room for {free:,} bytes")
    with _own_disk(place, free):
        ended = installation.run()
        story.tell(f"exit code {ended.code} after {ended.seconds:.0f} s: {ended.message}")
        yield from clean_end(ended)


def read_only(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Makes one folder's disk read-only in the middle of a run."""
    installation.forget()
    place = installation.root / random.choice(FOLDERS)
    delay = random.uniform(0, LONGEST_DELAY)
    story.tell(f"{place.name} became read-only after {delay:.1f} s")
    with _own_disk(place, 64 << 20), installation.started("run", DATASET) as command:
        time.sleep(delay)
        if command.process.poll() is None:
            _remount(place, "ro")
        ended = command.end()
        command.clear()
        _remount(place, "rw")
        story.tell(f"exit code {ended.code} after {ended.seconds:.0f} s: {ended.message}")
        yield from clean_end(ended)


@contextmanager
def _own_disk(place: Path, free: int) -> Iterator[None]:
    """Puts a folder on a small disk in memory, and takes back what is on it at the end."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotInject("only root on Linux can mount a small disk")
    aside = place.with_name(f"{place.name}-aside")
    place.mkdir(exist_ok=True)
    used = sum(file.stat().st_blocks * 512 for file in place.rglob("*"))
    pages = 4096 * (1 + sum(1 for _ in place.rglob("*")))
    place.rename(aside)
    place.mkdir()
    try:
        size = used + pages + free
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotInject(f"no disk in memory can be mounted: {done.stderr.strip()}")
        shutil.copytree(aside, place, dirs_exist_ok=True, symlinks=True)
        try:
            yield
        finally:
            kept = place.with_name(f"{place.name}-kept")
            shutil.copytree(place, kept, symlinks=True)
            subprocess.run(["umount", "--lazy", str(place)], check=True)
            shutil.rmtree(aside)
            kept.rename(aside)
    finally:
        place.rmdir()
        aside.rename(place)


def _remount(place: Path, how: str) -> None:
    # While a file is open for writing, the kernel refuses to make its disk read-only.
    command = ["mount", "-o", f"remount,{how}", str(place)]
    for _ in range(50):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)


FAULTS: dict[str, Fault] = {"a full disk": disk_full, "a read-only disk": read_only}
