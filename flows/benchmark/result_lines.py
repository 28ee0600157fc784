"""A benchmark's results on disk: one JSON line per finished cell, and two per run."""

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
    "protocol",
    "fold",
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
"""The fields that identify a cell. A field that a line lacks counts as None."""
PACKAGES = (
    "autorec",
    "tensorflow",
    "keras",
    "keras-tuner",
    "numpy",
    "scikit-learn",
    "lightgbm",
    "scikit-surprise",
    "myfm",
)

Line = dict[str, Any]


def key(line: Line) -> str:
    """Returns the key of a cell as one string."""
    return json.dumps([line.get(name) for name in NAMES], sort_keys=True)


def read_lines(path: Path) -> list[Line]:
    """Reads the lines of a file. Returns an empty list if there is no file.

    Skips a line that a killed run has written only in part; its cell runs again.

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
    """Appends lines to a file and flushes them to disk. Never changes earlier lines.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # an incomplete line of a killed run
                    file.write(b"\n")
            for line in lines:
                text = json.dumps(line, sort_keys=True, ensure_ascii=False)
                file.write(text.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error


def machine() -> Line:
    """Describes the speed of this machine, without names or paths."""
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
    """Returns the versions of packages that affect results; None for a missing package."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def now() -> str:
    """Returns the current time in UTC as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
