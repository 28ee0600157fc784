"""Unpacks single files from archives, with checks against harmful archives."""

from __future__ import annotations

import fnmatch
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from autorec_core.errors import DataError

CHUNK = 1 << 20
LARGEST = 256 << 30
STEEPEST = 250
"""Highest ratio of unpacked to packed size. Text compresses less, so a higher ratio is a bomb."""

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def unpack(archive: Path, member: str, folder: Path, name: str, *, skip_lines: int = 0) -> None:
    """Unpacks one or more files of a zip or tar archive into a folder.

    Args:
        archive: The archive.
        member: Path of a file in it, or a pattern for several files such as `*/part_*.txt`.
        folder: The folder to write to. Nothing is written outside it.
        name: Name of a single file in the folder. Files of a pattern keep their own names.
        skip_lines: Number of lines to leave out at the start of each file.

    Raises:
        DataError: The archive is damaged, lacks the member, or is harmful.
    """
    several = any(sign in member for sign in "*?[")
    try:
        with _opened(archive) as members:
            found = 0
            for path, size, packed, content in members:
                _check_path(path)
                if not (fnmatch.fnmatchcase(path, member) if several else path == member):
                    continue
                found += 1
                _check_size(path, size, packed, folder)
                target = folder / (PurePosixPath(path).name if several else name)
                with content() as source:
                    _copy(source, target, size, skip_lines)
    except _DAMAGE as error:
        raise DataError(f"the archive is damaged ({error})") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, or an unknown compression
        raise DataError(f"the archive cannot be opened ({error})") from error
    if not found:
        raise DataError(f"the archive has no {member}")


_Member = tuple[str, int, int, "_Open"]


class _Open:
    """Opens one member of an archive when called."""

    def __init__(self, archive: zipfile.ZipFile | tarfile.TarFile, member: object) -> None:
        self._archive, self._member = archive, member

    @contextmanager
    def __call__(self) -> Iterator[IO[bytes]]:
        if isinstance(self._archive, zipfile.ZipFile):
            assert isinstance(self._member, zipfile.ZipInfo)
            with self._archive.open(self._member) as content:
                yield content
        else:
            assert isinstance(self._member, tarfile.TarInfo)
            extracted = self._archive.extractfile(self._member)
            if extracted is None:
                raise DataError(f"{self._member.name} in the archive is not a file")
            with extracted:
                yield extracted


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    """Yields the members of an archive: path, size, packed size, and a function that opens it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield (
                (info.filename, info.file_size, info.compress_size, _Open(opened, info))
                for info in opened.infolist()
                if not info.is_dir()
            )
    else:
        # A tar has no packed size per member, so the size of the whole archive is the bound.
        packed = archive.stat().st_size
        with tarfile.open(archive, "r|*") as stream:
            yield (
                (info.name, info.size, packed, _Open(stream, info))
                for info in stream
                if info.isfile()
            )


def _check_path(path: str) -> None:
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise DataError(f"the archive names {path!r}, a path outside its own folder")


def _check_size(path: str, size: int, packed: int, folder: Path) -> None:
    if size > LARGEST or size > STEEPEST * max(packed, CHUNK):
        raise DataError(
            f"{path} would unpack from {packed:,} to {size:,} bytes, which is suspicious"
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(f"{path} needs {size:,} bytes of disk; {free:,} are free")


def _copy(source: IO[bytes], target: Path, size: int, skip_lines: int) -> None:
    """Copies a member. Raises DataError if it is longer than the archive says."""
    left = size
    with target.open("wb") as file:
        for _ in range(skip_lines):
            left -= len(source.readline(CHUNK))
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise DataError(f"{target.name} is longer than the archive says: {size:,} bytes")
            file.write(chunk)
