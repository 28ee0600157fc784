"""Loads registered versions for scoring, also those of earlier versions of AutoRec.

If the code registered with a version equals the code that runs here, the version is loaded in this
process, which is fastest. Otherwise it scores in a clean process on its own code, as in the gate.
It therefore keeps giving the same scores, even if AutoRec's layers have changed since.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.data.side_table import SideTable
from autorec_core.errors import DataError
from autorec_core.scorer import MANIFEST, Scorer
from flows.processes import model_process
from flows.registry.clean_process import CleanProcess, EndedError, clean_process, fingerprint_of
from flows.registry.lineage import running_code
from flows.registry.register import LEARNED, LINEAGE
from flows.registry.versions import RegistryError, Version, client, model_uri


class RowScorer(Protocol):
    """An object that scores raw rows: a `Scorer` in this process or in a separate process."""

    @property
    def columns(self) -> list[str]:
        """The columns that rows must have."""

    @property
    def numeric(self) -> frozenset[str]:
        """The columns with numbers; all others have categories."""

    @property
    def missing(self) -> Sequence[str]:
        """The words that mean "missing" in any column."""

    def unknown_ids(self) -> UnknownIds:
        """Returns a counter of unknown ids, which knows their usual share."""

    def score_table(self, table: pa.Table, unknown: UnknownIds | None = None) -> np.ndarray:
        """Scores raw rows in an Arrow table; see `Scorer.score_table`."""

    def score_lists(
        self, columns: Mapping[str, list[Any]], unknown: UnknownIds | None = None
    ) -> np.ndarray:
        """Scores raw rows given as one list of plain values per column."""


class DistantScorer:
    """A version that scores in a separate process on its own code. A killed process is replaced.

    Args:
        version: The version.
        root: The workspace.

    Raises:
        RegistryError: It cannot be loaded, or its files are not those registered.
    """

    def __init__(self, version: Version, root: Path = Path()) -> None:
        self._version, self._root = version, root
        self._lock = threading.Lock()
        self._process = CleanProcess(version, root)
        self.columns, self.numeric = self._process.columns, self._process.numeric
        self.missing = self._process.missing

    def unknown_ids(self) -> UnknownIds:
        """Returns a counter of unknown ids, which knows their usual share."""
        return UnknownIds(self._process.unknown_rate)

    def score_table(self, table: pa.Table, unknown: UnknownIds | None = None) -> np.ndarray:
        """Scores raw rows in an Arrow table.

        Args:
            table: Raw rows with the model's columns. Other columns are ignored.
            unknown: Counts unknown ids.

        Returns:
            Scores with the model's dtype, shape (rows,).

        Raises:
            DataError: A numeric column has a value that is not a number.
            RegistryError: The model fails, or its process ends twice.
        """
        rows = pa.table({name: values.plain(table[name]) for name in self.columns})
        return self._score(rows, unknown)

    def score_lists(
        self, columns: Mapping[str, list[Any]], unknown: UnknownIds | None = None
    ) -> np.ndarray:
        """Scores raw rows given as one list of plain values per column; see `score_table`."""
        return self._score(rows_of({name: columns[name] for name in self.columns}), unknown)

    def _score(self, rows: pa.Table, unknown: UnknownIds | None) -> np.ndarray:
        process = self._process
        try:
            scores = process.score(rows)
        except EndedError:
            process = self._replace_process(process)
            scores = process.score(rows)
        if unknown is not None:
            for name, (count, total) in process.count_unknown(rows).items():
                unknown.add(name, count, total)
        return scores

    def _replace_process(self, dead: CleanProcess) -> CleanProcess:
        """Starts a new process in place of one that has ended.

        Several threads may notice the same end. The first one replaces the process; the others get
        the new one.
        """
        with self._lock:
            if self._process is dead:
                dead.close()
                self._process = CleanProcess(self._version, self._root)
            return self._process


def rows_of(columns: Mapping[str, list[Any]]) -> pa.Table:
    """Makes an Arrow table of plain values. A column that Arrow cannot represent becomes JSON."""
    arrays, fields = [], []
    for name, column in columns.items():
        array, about = _array(column), None
        if array is None:
            array, about = (
                pa.array([json.dumps(value) for value in column]),
                {model_process.JSON_COLUMN: b""},
            )
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=about))
    return pa.table(arrays, schema=pa.schema(fields))


def _array(column: list[Any]) -> pa.Array | None:
    """Returns a column as an Arrow array, or None if types are mixed or numbers too large."""
    if len({type(value) for value in column if value is not None}) > 1:
        return None
    try:
        return pa.array(column)
    except OverflowError:
        return None


def load_scorer(version: Version, root: Path = Path()) -> RowScorer:
    """Loads a version's scorer, in this process if its code equals ours, else in a clean process.

    Raises:
        RegistryError: It cannot be loaded, or its files are not those registered.
    """
    with fetched(version, root) as folder:
        if made_by_this_code(folder):
            return _loaded(version, folder)
    return DistantScorer(version, root)


def load_preprocessor(version: Version, root: Path = Path()) -> Preprocessor:
    """Loads the users, items and other categories that a version knows.

    Raises:
        RegistryError: They cannot be read, or are not what was registered.
    """
    with fetched(version, root) as folder:
        try:
            return Preprocessor.load(next((folder / "artifacts").glob(f"*/{MANIFEST}")).parent)
        except (DataError, StopIteration) as error:
            uri = model_uri(version.dataset, version.number)
            raise RegistryError(
                f"The users and items of {uri}, made by another AutoRec, cannot be read here."
            ) from error


def load_tables(version: Version, root: Path = Path()) -> Mapping[str, SideTable]:
    """Loads the side tables that a version carries, by name; none for versions without tables.

    `SideTable.joins` says which column a table describes, `SideTable.titles_of` has its titles.

    Raises:
        RegistryError: They cannot be read, or are not what was registered.
    """
    return load_preprocessor(version, root).tables


def learned_rows(version: Version, root: Path = Path()) -> LearnedRows | None:
    """Loads the record of the rows that a version learned from. None if it has no readable one.

    Raises:
        RegistryError: Its files cannot be loaded, or are not those registered.
    """
    with fetched(version, root) as folder:
        try:
            return LearnedRows.load(folder / "artifacts" / LEARNED)
        except DataError:
            return None


def lineage_of(version: Version, root: Path = Path()) -> dict[str, Any]:
    """Reads the full lineage of a version.

    Raises:
        RegistryError: Its files cannot be loaded, or are not those registered.
    """
    with fetched(version, root) as folder:
        content: dict[str, Any] = json.loads(
            (folder / "artifacts" / LINEAGE).read_text(encoding="utf-8")
        )
        return content


def export_version(version: Version, target: Path, root: Path = Path()) -> None:
    """Exports a version for Keras and TensorFlow Serving, with the code it was made with.

    Args:
        version: The version.
        target: The folder to create; see `export_scorer`.
        root: The workspace.

    Raises:
        RegistryError: It cannot be loaded or exported, or its files are not those registered.
    """
    with fetched(version, root) as folder:
        if made_by_this_code(folder):
            from autorec_core.export import export_scorer

            export_scorer(_loaded(version, folder), target)
            return
    with clean_process(version, root) as process:
        process.export(target)


def made_by_this_code(folder: Path) -> bool:
    """Returns whether the code registered with a version equals the code that runs here."""
    return model_process.fingerprint(folder.joinpath(*model_process.CODE)) == running_code()


def _loaded(version: Version, folder: Path) -> Scorer:
    try:
        return Scorer.load(next((folder / "artifacts").glob(f"*/{MANIFEST}")).parent)
    except (DataError, StopIteration, TypeError, ValueError) as error:
        uri = model_uri(version.dataset, version.number)
        why = (str(error).splitlines() or ["it contains no scorer"])[0]
        raise RegistryError(f"{uri} cannot be loaded: {why}") from error


@contextmanager
def fetched(version: Version, root: Path = Path()) -> Iterator[Path]:
    """Yields a temporary copy of a version's files, after comparing them with their hash.

    Raises:
        RegistryError: The files cannot be loaded, or are not those registered.
    """
    from mlflow.exceptions import MlflowException

    client(root)
    uri = model_uri(version.dataset, version.number)
    with tempfile.TemporaryDirectory() as copy:
        try:
            folder = model_process.fetch(uri, Path(copy), fingerprint_of(version))
        except (MlflowException, OSError, ValueError) as error:
            raise RegistryError(f"{uri} cannot be loaded: {error}.") from error
        yield folder
