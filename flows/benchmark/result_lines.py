"""A benchmark's results on disk: one JSON line a finished cell, and two a run of the command."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from autorec_core.errors import DataError

CELLS, RUNS = "cells.jsonl", "runs.jsonl"
TRUTH, ALONE = "known_truth.jsonl", "known_truth_alone.jsonl"
TRUTH_RUNS = "known_truth_runs.jsonl"
NAMES = (
    "dataset",
    "data",
    "model",
    "space",
    "tuner",
    "seed",
    "trials",
    "budget",
    "refit",
    "ensemble",
)
"""What tells a cell from all others; what a line lacks counts as None."""
PACKAGES = (
    "autorec",
    "tensorflow",
    "keras",
    "keras-tuner",
    "numpy",
    "scikit-learn",
    "lightgbm",
    "scikit-surprise",
)

Line = dict[str, Any]


def key(line: Line) -> str:
    """A cell's name, as one string."""
    return json.dumps([line.get(name) for name in NAMES], sort_keys=True)


def read_lines(path: Path) -> list[Line]:
    """The lines of a file; none where there is no file.

    The end of a line that a killed run has written half is passed over: its cell is run again.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def append(path: Path, lines: Iterable[Line]) -> None:
    """Adds lines to a file and sees them to the disk; what was there is not touched.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # half a line of a run that was killed
                    file.write(b"\n")
            for line in lines:
                text = json.dumps(line, sort_keys=True, ensure_ascii=False)
                file.write(text.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error


def machine() -> Line:
    """What this machine is, as far as speed goes; no name and no place."""
    from autorec_core.search.workers import processors

    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text(encoding="utf-8").splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": names[0] if names else platform.processor(),
        "processors": processors(),
        "memory_gib": round(memory),
        "niceness": os.nice(0),
        "load": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
    }


def versions() -> dict[str, str | None]:
    """The versions of what decides figures; None for what is not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def now() -> str:
    """The time, as text in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
