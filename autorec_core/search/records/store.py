"""The folder of a search, named by a hash of everything that decides its result.

The record of a trial is written when it starts and when it ends. A search that was killed reads the
records again and runs only the trials that have not ended.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import autorec_core
from autorec_core.errors import SearchError
from autorec_core.files import whole_file, write_json
from autorec_core.metrics import Metric
from autorec_core.search.records.record import Key, TrialRecord
from autorec_core.search.records.tables import write_tables
from autorec_core.training import Rows

MARK = "autorec-search.json"
CHECKPOINT_BYTES = 8 * 2**30
"""How many bytes the checkpoints of all paused trials may take on disk together."""
_KEY_LENGTH = 12
_CODE = (
    "block.py",
    "evaluation",
    "metrics.py",
    "optimizers.py",
    "ranking.py",
    "recipe.py",
    "recommender.py",
    "mappers",
    "interactors",
    "training",
    "search",
)
_HASHED_ROWS = 1 << 18

_log = logging.getLogger(__name__)


class Store:
    """The folder of one search.

    Args:
        root: The folder that contains the folders of searches.
        decides: Everything that decides the result of the search, as JSON-serialisable data.
        metric: The metric of the objective.
    """

    def __init__(self, root: Path, decides: Mapping[str, Any], metric: Metric) -> None:
        self._decides = dict(decides)
        self._metric = metric
        text = json.dumps(self._decides, sort_keys=True)
        self.folder = Path(root) / hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]

    def open(self, *, overwrite: bool = False) -> dict[Key, TrialRecord]:
        """Makes the folder, or reads what an earlier run of the same search has left.

        Args:
            overwrite: Whether to delete the earlier run.

        Returns:
            The records of the trials, by their key.

        Raises:
            SearchError: A folder with this name exists but was not made by a search.
        """
        mark = self.folder / MARK
        if self.folder.exists() and any(self.folder.iterdir()) and not mark.exists():
            raise SearchError(
                f"{self.folder} contains files but no {MARK}, so it is not the folder of a search. "
                "Move it away."
            )
        if overwrite and mark.exists():
            shutil.rmtree(self.folder)
        if not mark.exists():
            write_json(mark, self._decides)
        records = {}
        for path in sorted((self.folder / "trials").glob("*.json")):
            record = self._read(path)
            if record is not None:
                records[record.key] = record
        return records

    def write(self, record: TrialRecord) -> None:
        """Writes the record of a trial."""
        write_json(self._trial_path(record), record.to_json())

    def forget(self, record: TrialRecord, reason: str) -> None:
        """Moves the record of a trial out of the way, with a warning that says why."""
        self._set_aside(self._trial_path(record), reason)

    def write_model(self, record: TrialRecord, model: bytes) -> None:
        """Writes the model of a trial. Call it before `write`: a record needs its model."""
        with whole_file(self.model_path(record)) as path:
            path.write_bytes(model)

    def write_predictions(self, record: TrialRecord, predicted: np.ndarray) -> None:
        """Stores what a trial predicts for the valid rows. Called before its record is written."""
        with whole_file(self.folder / predictions_path(record)) as path, path.open("wb") as file:
            np.save(file, predicted, allow_pickle=False)

    def drop_models(self, keep: Collection[TrialRecord]) -> None:
        """Removes all models except those of the given trials."""
        kept = [self.model_path(record) for record in keep]
        for path in self.folder.glob("model-*.keras"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def read_predictions(self, record: TrialRecord) -> np.ndarray | None:
        """Returns what a trial predicts for the valid rows; None if that is lost or damaged."""
        try:
            found: np.ndarray = np.load(self.folder / predictions_path(record), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found

    def model_path(self, record: TrialRecord) -> Path:
        """Returns the file of the model of a trial; it exists while the trial is the best."""
        return self.folder / f"model-{_name(record)}.keras"

    def has_model(self, record: TrialRecord) -> bool:
        """Returns whether the model of a trial exists and is undamaged."""
        return _is_undamaged(self.model_path(record))

    def write_checkpoint(self, record: TrialRecord, checkpoint: bytes) -> None:
        """Writes the checkpoint of a paused trial. Call it before `write`, as for a model."""
        with whole_file(self._checkpoint_path(record)) as path:
            path.write_bytes(checkpoint)

    def read_checkpoint(self, record: TrialRecord) -> bytes | None:
        """Returns the checkpoint of a paused trial; None if it is lost or damaged."""
        path = self._checkpoint_path(record)
        return path.read_bytes() if _is_undamaged(path) else None

    def drop_checkpoints(self, keep: Iterable[TrialRecord]) -> None:
        """Removes all checkpoints except those of the given trials, as far as there is room.

        The first trials keep theirs. A trial without a checkpoint is trained from the start if it
        is promoted.
        """
        room = CHECKPOINT_BYTES
        kept = set()
        for record in keep:
            path = self._checkpoint_path(record)
            room -= path.stat().st_size if path.exists() else 0
            if room < 0:
                break
            kept.add(path)
        for path in (self.folder / "checkpoints").glob("*.npz"):
            if path not in kept:
                path.unlink(missing_ok=True)

    @property
    def data(self) -> Path:
        """The folder from which worker processes read the rows while the search runs."""
        return self.folder / "data"

    def drop_data(self) -> None:
        """Removes the rows that were stored for the workers."""
        shutil.rmtree(self.data, ignore_errors=True)

    def write_tables(self, records: Iterable[TrialRecord]) -> None:
        """Writes the leaderboard and the learning curves for people and plots."""
        write_tables(self.folder, records, self._metric)

    def _read(self, path: Path) -> TrialRecord | None:
        try:
            record = TrialRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
            if path != self._trial_path(record):
                raise ValueError("its file has the name of another trial")
        except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError) as e:
            self._set_aside(path, f"it is not the record of a trial ({e})")
            return None
        return record

    def _set_aside(self, path: Path, reason: str) -> None:
        aside = path.with_suffix(".set-aside")
        path.replace(aside)
        _log.warning("%s is set aside as %s: %s.", path, aside.name, reason)

    def _trial_path(self, record: TrialRecord) -> Path:
        return self.folder / "trials" / f"{_name(record)}.json"

    def _checkpoint_path(self, record: TrialRecord) -> Path:
        return self.folder / "checkpoints" / f"{_name(record)}.npz"


def _name(record: TrialRecord) -> str:
    """Returns the name of the files of a trial or of a part of it."""
    end = "" if record.until is None else f"-{record.until:05d}"
    return f"{record.number:04d}{end}"


def predictions_path(record: TrialRecord) -> Path:
    """Returns the place of a trial's predictions of the valid rows, in the search's folder."""
    return Path("predictions") / f"{_name(record)}.npy"


def _is_undamaged(path: Path) -> bool:
    """Returns whether a ZIP file exists and is undamaged."""
    try:
        with zipfile.ZipFile(path) as content:
            return content.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def data_hash(*splits: Rows) -> str:
    """Returns a hash of the content, types and names of all arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for rows in splits:
        for name in sorted(rows.inputs):
            _add(digest, name, rows.inputs[name])
        _add(digest, "labels", rows.labels)
        if rows.users is not None:
            _add(digest, "users", rows.users)
    return digest.hexdigest()


def _add(digest: Any, name: str, array: np.ndarray) -> None:
    digest.update(f"{name} {array.dtype} {array.shape} ".encode())
    for start in range(0, len(array), _HASHED_ROWS):
        digest.update(np.ascontiguousarray(array[start : start + _HASHED_ROWS]).data)


def code_hash() -> str:
    """Returns a hash of the code that trains and searches. New code never uses old results."""
    package = Path(autorec_core.__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for part in _CODE:
        place = package / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
