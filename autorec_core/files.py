"""Files and folders that appear whole or not at all.

They are written under a temporary name, flushed to disk and then renamed.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autorec_core.errors import DataError

AT_ONCE = 8
"""How many files of a folder are flushed to disk at the same time."""
PARTIAL = ".partial"
"""How the names of temporary folders end."""
LEFT_SECONDS = 60
"""How old a temporary folder without a process must be to be removed."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to, and renames it to `path` if no error occurs.

    Args:
        path: The file. Its folders are created, and an existing file is replaced.

    Raises:
        DataError: The file cannot be written.
    """
    with _beside(path) as folder:
        written = folder / path.name
        yield written
        _flush(written)
        written.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill, and renames it to `path` if no error occurs.

    Args:
        path: The folder. Its parents are created, and an existing folder is replaced.

    Raises:
        DataError: The folder cannot be written.
    """
    with _beside(path) as aside:
        filled = aside / path.name
        filled.mkdir()
        yield filled
        files = [file for file in filled.rglob("*") if file.is_file()]
        # Flushing files at the same time is much faster than one after the other.
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(_flush, files))
        if path.exists():
            path.replace(aside / "before")
        filled.replace(path)


def write_json(path: Path, content: Any) -> None:
    """Writes `content` as indented JSON with sorted keys, whole or not at all."""
    with whole_file(path) as file:
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole_file(path) as file:
        file.write_text(text, encoding="utf-8")


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Makes a temporary folder on the same disk as `path`, and removes it at the end.

    Folders of earlier writes of `path` that were killed are removed too, after this write.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(PARTIAL, f".{path.name}.", path.parent))
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    mark = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX)  # released when this process ends, however it ends
        yield aside
        _remove_left(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        os.close(mark)
        shutil.rmtree(aside, ignore_errors=True)


def _remove_left(path: Path) -> None:
    """Removes temporary folders of `path` whose process has ended."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????{PARTIAL}"):
        with suppress(OSError):  # it is locked, or another process has removed it
            if time.time() - left.stat().st_mtime < LEFT_SECONDS:
                continue
            mark = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(mark)
