"""Checks whether the source of a data set has other data than the raw file in the workspace."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from autorec_core.config import DatasetParams, FileSource
from autorec_core.data.reading.raw_files import raw_names
from autorec_core.errors import DataError
from flows.stages.fetch import fetch
from flows.workspace import Places


def own_file_changed(entry: DatasetParams, places: Places) -> bool:
    """Returns whether the user's own file differs from the raw file that was copied from it.

    Reads both files. Always False if params.yaml pins the raw file's hash.
    """
    own = next((source for source in entry.sources if isinstance(source, FileSource)), None)
    if own is None or entry.sha256 is not None or not places.raw.exists():
        return False
    try:
        names = raw_names(places.root / own.path, entry.file)
    except DataError:
        return False
    return _hashes(names) != fingerprint(places.raw)


def source_changed(entry: DatasetParams, places: Places) -> str | None:
    """Fetches the data from its source and compares it with the raw data of the workspace.

    A raw file whose hash params.yaml pins is not fetched if the workspace has it.

    Returns:
        A hash of the new data, or None if the workspace has the same data.

    Raises:
        UnreachableError: No source could be reached.
        DataError: A source was reached but does not have the raw file.
    """
    if entry.sha256 is not None:
        return None if places.raw.exists() else entry.sha256
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
