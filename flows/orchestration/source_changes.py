"""Checks whether the source of a data set has other data than the raw file in the workspace."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from autorec_core.config import DatasetParams
from autorec_core.data.reading.raw_files import raw_names, table_folder
from autorec_core.errors import DataError
from autorec_core.raw_config import FileSource, TableParams
from flows.stages.fetch import fetch
from flows.workspace import Places


def own_file_changed(entry: DatasetParams, places: Places) -> bool:
    """Returns whether one of the user's own files differs from the raw file copied from it.

    Reads the files. A file whose hash params.yaml pins has never changed.
    """
    if not places.raw.exists():
        return False
    files: list[tuple[DatasetParams | TableParams, Path]] = [(entry, places.raw)]
    files += [(table, table_folder(places.raw, name)) for name, table in entry.tables.items()]
    copied = fingerprint(places.raw)
    for described, folder in files:
        own = next((one for one in described.sources if isinstance(one, FileSource)), None)
        if own is None or described.sha256 is not None:
            continue
        try:
            names = raw_names(places.root / own.path, described.file)
        except DataError:
            continue
        inside = folder.relative_to(places.raw)
        found = {(inside / name).as_posix(): one for name, one in _hashes(names).items()}
        if found != _below(copied, inside.as_posix()):
            return True
    return False


def _below(hashes: dict[str, str], folder: str) -> dict[str, str]:
    """Returns the hashes of the files of one table, or for "." of all files but tables."""
    tables = f"{table_folder(Path(), '')}/"
    if folder == ".":
        return {name: one for name, one in hashes.items() if not name.startswith(tables)}
    return {name: one for name, one in hashes.items() if name.startswith(f"{folder}/")}


def source_changed(entry: DatasetParams, places: Places) -> str | None:
    """Fetches the data from their sources and compares them with the raw data of the workspace.

    Raw files whose hashes params.yaml pins are not fetched if the workspace has them.

    Returns:
        A hash of the new data, or None if the workspace has the same data.

    Raises:
        UnreachableError: No source could be reached.
        DataError: A source was reached but does not have the raw file.
    """
    pinned = [entry.sha256, *(table.sha256 for table in entry.tables.values())]
    if None not in pinned:
        return None if places.raw.exists() else hashlib.sha256(repr(pinned).encode()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="autorec-") as scratch:
        folder = Path(scratch) / "raw"
        fetch(places.dataset, entry, folder, root=places.root)
        found = fingerprint(folder)
    if places.raw.exists() and found == fingerprint(places.raw):
        return None
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def fingerprint(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file in a folder, by its relative path."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return _hashes({file.relative_to(folder).as_posix(): file for file in files})


def _hashes(files: dict[str, Path]) -> dict[str, str]:
    hashes = {}
    for name, path in files.items():
        with path.open("rb") as file:
            hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes
