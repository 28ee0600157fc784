"""Which runs are at work in a workspace, known by locks that the system frees when they die.

A run holds a lock on a file of its own for as long as its process lives, and one on its data set
while it builds. Locks of `flock` end with the process, however it ends; what is written in the
files only tells the others who it was.
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
"""What a workspace's running processes note of themselves; git and DVC ignore it."""
POLL_SECONDS = 1.0


class OccupiedError(AutoRecError):
    """Another run is at work on the data set, and this one is not to wait."""


@dataclass(frozen=True)
class Presence:
    """A run at work.

    Args:
        run: Its Prefect run's id.
        name: Its name.
        host: The machine.
        pid: The process.
        since: When it began, as people write it.
    """

    run: str
    name: str
    host: str
    pid: int
    since: str

    @classmethod
    def here(cls, run: str, name: str) -> Self:
        """This process."""
        since = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
        return cls(run, name, socket.gethostname(), os.getpid(), since)

    def __str__(self) -> str:
        return f"run {self.name!r} (process {self.pid} on {self.host}, since {self.since})"


@contextmanager
def at_work(root: Path, me: Presence) -> Iterator[None]:
    """Shows others that this run's process is alive, until it ends."""
    folder = root / FOLDER / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{me.run}.json"
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        # The lock comes before the name: a file that can be seen is held by a living process.
        fcntl.flock(file, fcntl.LOCK_EX)
        _write(file, me)
        Path(file.name).replace(place)
        try:
            yield
        finally:
            place.unlink(missing_ok=True)


def take_leave_of_the_dead(root: Path, tell: Callable[[Presence], bool]) -> None:
    """Finds the runs of this workspace whose process ended without a word.

    Args:
        root: The workspace.
        tell: Receives each; where it returns True the run is forgotten.
    """
    for place in sorted((root / FOLDER / "runs").glob("*.json")):
        try:
            file = place.open(encoding="utf-8")
        except FileNotFoundError:
            continue
        with file:
            if _locked(file) and (dead := _read(file)) is not None and tell(dead):
                place.unlink(missing_ok=True)


@contextmanager
def exclusive(
    root: Path,
    dataset: str,
    me: Presence,
    *,
    on_busy: Literal["wait", "leave"],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Lets one run at a time work on a data set of this workspace.

    Args:
        root: The workspace.
        dataset: The data set.
        me: Who asks; the others are told.
        on_busy: What to do where another run is at work: "wait" for its end, or "leave".
        say: Hears, once, that and for whom this run waits.

    Raises:
        OccupiedError: Another run is at work, and `on_busy` is "leave".
    """
    place = root / FOLDER / "locks" / f"{dataset}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a+", encoding="utf-8") as file:
        said = False
        while not _locked(file):
            other = _read(file) or "another run"
            if on_busy == "leave":
                raise OccupiedError(
                    f"{other} is at work on {dataset}; this one leaves (pipeline.on_busy)."
                )
            if not said:
                say(f"Waiting: {other} is at work on {dataset}.")
                said = True
            time.sleep(POLL_SECONDS)
        _write(file, me)
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: IO[str], presence: Presence) -> None:
    file.truncate(0)
    file.write(json.dumps(asdict(presence)))
    file.flush()


def _read(file: IO[str]) -> Presence | None:
    """Who is written there; None in the instant before that is written."""
    file.seek(0)
    try:
        return Presence(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
