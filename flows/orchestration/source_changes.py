"""Whether a data set's source has something else than the raw file in the workspace."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from autorec_core.config import DatasetParams, FileSource
from autorec_core.data.reading.raw_files import raw_names
from autorec_core.errors import DataError
from flows.stages.fetch import fetch
from flows.workspace import Places


def own_file_moved(entry: DatasetParams, places: Places) -> bool:
    """Whether a file that the user has put in place differs from the raw file made of it.

    Costs a reading of both; a raw file that params.yaml pins by its hash is never replaced.
    """
    own = next((one for one in entry.sources if isinstance(one, FileSource)), None)
    if own is None or entry.sha256 is not None or not places.raw.exists():
        return False
    try:
        names = raw_names(places.root / own.path, entry.file)
    except DataError:
        return False
    return _hashes(names) != fingerprint(places.raw)


def source_moved(entry: DatasetParams, places: Places) -> str | None:
    """Whether the source now has other raw data than the workspace; fetches it to find out.

    Returns:
        What names that other data, or None where the workspace has what the source has. A raw file
        that params.yaml pins by its hash does not move.

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
    """The SHA-256 of each file of a folder, by its path inside it."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return _hashes({file.relative_to(folder).as_posix(): file for file in files})


def _hashes(files: dict[str, Path]) -> dict[str, str]:
    hashes = {}
    for name, path in files.items():
        with path.open("rb") as file:
            hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes
