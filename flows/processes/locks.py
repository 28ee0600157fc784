"""Locks that show which runs are active in a workspace.

A run holds two locks: one on its own file as long as its process lives, and one on its data set
while it builds. The operating system releases a `flock` lock when the process ends, even if it was
killed. The text in the files only tells other runs who holds the lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Literal, Self

from autorec_core.errors import AutoRecError

FOLDER = ".autorec"
"""Folder for the notes of running processes. git and DVC ignore it."""
POLL_SECONDS = 1.0


class DataSetBusyError(AutoRecError):
    """Another run is building the data set, and this run must not wait."""


@dataclass(frozen=True)
class RunProcess:
    """The process of a run.

    Args:
        run: Id of the Prefect flow run.
        name: Name of the run.
        host: Host name of the machine.
        pid: Process id.
        since: Start time, as text for people.
    """

    run: str
    name: str
    host: str
    pid: int
    since: str

    @classmethod
    def current(cls, run: str, name: str) -> Self:
        """Returns a note about this process."""
        since = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
        return cls(run, name, socket.gethostname(), os.getpid(), since)

    def __str__(self) -> str:
        return f"run {self.name!r} (process {self.pid} on {self.host}, since {self.since})"


@contextmanager
def hold_run_lock(root: Path, me: RunProcess) -> Iterator[None]:
    """Holds the lock of this run, which shows other runs that its process is alive."""
    folder = root / FOLDER / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{me.run}.json"
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        # Lock first, rename second: other runs never see the file without its lock.
        fcntl.flock(file, fcntl.LOCK_EX)
        _write(file, me)
        Path(file.name).replace(place)
        try:
            yield
        finally:
            place.unlink(missing_ok=True)


def find_dead_runs(root: Path, handle: Callable[[RunProcess], bool]) -> None:
    """Finds the runs of this workspace whose process ended without removing its file.

    Args:
        root: The workspace.
        handle: Called with each dead run. If it returns True, the run's file is deleted.
    """
    for place in sorted((root / FOLDER / "runs").glob("*.json")):
        try:
            file = place.open(encoding="utf-8")
        except FileNotFoundError:
            continue
        with file:
            if _locked(file) and (dead := _read(file)) is not None and handle(dead):
                place.unlink(missing_ok=True)


@contextmanager
def exclusive(
    root: Path,
    dataset: str,
    me: RunProcess,
    *,
    on_busy: Literal["wait", "leave"],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Holds the lock of a data set, so that only one run at a time builds it.

    Args:
        root: The workspace.
        dataset: The data set.
        me: The process of this run, shown to other runs.
        on_busy: What to do if another run builds the data set: "wait" until it ends, or "leave".
        say: Called once with a message if this run has to wait.

    Raises:
        DataSetBusyError: Another run builds the data set, and `on_busy` is "leave".
    """
    place = _lock_file(root, dataset)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a+", encoding="utf-8") as file:
        announced = False
        while not _locked(file):
            if _is_being_read(file):  # which takes a moment
                time.sleep(POLL_SECONDS)
                continue
            other = _read(file) or "another run"
            if on_busy == "leave":
                raise DataSetBusyError(
                    f"{other} is building {dataset}, so this run stops (pipeline.on_busy is leave)."
                )
            if not announced:
                say(f"Waiting: {other} is building {dataset}.")
                announced = True
            time.sleep(POLL_SECONDS)
        _write(file, me)
        yield


@contextmanager
def unchanged(root: Path, dataset: str, *, say: Callable[[str], None]) -> Iterator[None]:
    """Waits until no run builds a data set, and lets none begin. Use it to read prepared data.

    Args:
        root: The workspace.
        dataset: The data set.
        say: Called once with a message if there is a run to wait for.
    """
    place = _lock_file(root, dataset)
    if not place.exists():  # no run has ever built it here
        yield
        return
    with place.open(encoding="utf-8") as file:
        announced = False
        while not _locked(file, fcntl.LOCK_SH):
            if not announced:
                say(f"Waiting: {_read(file) or 'a run'} is building {dataset}.")
                announced = True
            time.sleep(POLL_SECONDS)
        yield


def _lock_file(root: Path, dataset: str) -> Path:
    return root / FOLDER / "locks" / f"{dataset}.json"


def _locked(file: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_being_read(file: IO[str]) -> bool:
    """Returns whether the holders of a lock only read. Then another reader is let in too."""
    if not _locked(file, fcntl.LOCK_SH):
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _write(file: IO[str], process: RunProcess) -> None:
    file.truncate(0)
    file.write(json.dumps(asdict(process)))
    file.flush()


def _read(file: IO[str]) -> RunProcess | None:
    """Reads who holds the lock. Returns None if the holder has not written it yet."""
    file.seek(0)
    try:
        return RunProcess(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
