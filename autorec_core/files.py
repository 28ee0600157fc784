"""Files and folders that appear whole or not at all: written aside, flushed to disk, renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autorec_core.errors import DataError

AT_ONCE = 8
"""Files of a folder that are flushed to disk together."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a name beside `path` to write to; at the end it becomes `path`, or nothing does.

    Args:
        path: The file to appear; its folders are made. A file of that name is replaced.

    Raises:
        DataError: The place cannot be written.
    """
    with _beside(path) as folder:
        written = folder / path.name
        yield written
        _flush(written)
        written.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives a new folder to fill; at the end it replaces `path`, or `path` stays as it was.

    Args:
        path: The folder to appear; its parents are made.

    Raises:
        DataError: The place cannot be written.
    """
    with _beside(path) as aside:
        filled = aside / path.name
        filled.mkdir()
        yield filled
        files = [file for file in filled.rglob("*") if file.is_file()]
        # A disk takes many files in one go if they are given to it together.
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
    """A temporary folder on the same disk as `path`, gone afterwards."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    try:
        yield aside
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
