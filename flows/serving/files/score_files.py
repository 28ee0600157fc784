"""Scores files of raw rows with the live model, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from autorec_core.config import DatasetParams
from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.raw import bad_rows_of
from autorec_core.errors import DataError, listed
from autorec_core.files import whole_file
from flows.config import Params
from flows.registry.loading import RowScorer, load_scorer
from flows.registry.versions import LIVE, Version, aliased, model_name
from flows.serving.files import raw_format
from flows.serving.files.read_rows import (
    KINDS,
    SEPARATORS,
    check_names,
    opened,
    told,
    without_bad_cells,
)

SCORE = "score"


def _to_stderr(message: str) -> None:
    Console(stderr=True).print(message, style="yellow", markup=False)


def score_file(
    dataset: str,
    source: Path,
    target: Path,
    *,
    alias: str = LIVE,
    root: Path = Path(),
    allow_unknown: bool = False,
    warn: Callable[[str], None] = _to_stderr,
) -> Version:
    """Scores a file of raw rows. The result has its columns and a last column `score`.

    Args:
        dataset: The data set.
        source: A CSV or TSV file with a header line, a Parquet file, or a file in the format of
            the data set's entry, such as its training file.
        target: The file to write. A Parquet file names its model in the metadata.
        alias: Alias of the registered model that scores.
        root: The workspace: the folder that contains params.yaml.
        allow_unknown: Whether to score even if the model knows no id of one of the columns.
        warn: Called with a message if more ids are unknown than in the test split.

    Returns:
        The version that scored.

    Raises:
        ConfigError: The data set is unknown or has no model of this alias.
        DataError: The file cannot be read, lacks a column, has only unknown ids in a column, or
            the result cannot be written.
        RegistryError: The model cannot be loaded, or its files are not those registered.
    """
    entry = Params.load(root / "params.yaml").dataset(dataset)
    layout = by_entry(entry, source)
    for path in (source, target):
        if path.suffix not in KINDS and not (path == source and layout):
            raise DataError(
                f"{path}: files of kind {path.suffix or 'unknown'} are not supported. Supported: "
                f".csv, .tsv, .parquet{_also(entry) if path == source else ''}."
            )
    bad = bad_rows_of(entry)
    with opened(source, entry if layout else None, bad) as chunks:
        version = aliased(dataset, alias, root)
        scorer = load_scorer(version, root)
        unknown = scorer.unknown_ids()
        with whole_file(target) as written:
            usable = _Usable(scorer, source, entry, bad, unknown)
            rows = _score(usable, chunks, written, made_by(version))
            if (names := unknown.wholly_unknown) and not allow_unknown:
                raise DataError(
                    f"{source}: version {version.number} of {model_name(dataset)} knows no value "
                    f"of {listed(names)}. Check that they are written as in the training file. To "
                    "score them anyway, use --allow-unknown."
                )
    if bad.rows:
        warn(f"{source}: {told(bad)}")
    if warning := unknown.warning():
        warn(f"{source}: {warning}")
    if layout:
        Console().print(f"{source} was read in the format of {dataset} in params.yaml: {layout}.")
    Console().print(
        f"{rows:,} rows scored by version {version.number} of {model_name(dataset)}: {target}",
        markup=False,
    )
    return version


def by_entry(entry: DatasetParams, source: Path) -> str | None:
    """Describes the layout of the source if it has the entry's format; else returns None."""
    if source.suffix == ".parquet" or not source.is_file():
        return None
    return raw_format.description(entry, source, SEPARATORS.get(source.suffix))


def _also(entry: DatasetParams) -> str:
    """Returns a clause on the entry's format for the list of supported files."""
    form = entry.format
    return ", and files in the format of the data set's entry" if form.kind != "parquet" else ""


def made_by(version: Version) -> dict[str, str]:
    """Returns metadata for a file of scores: model, version, data and commit."""
    return {
        "autorec.model": model_name(version.dataset),
        "autorec.version": str(version.number),
        "autorec.data": version.tags.get("dvc.prepared", ""),
        "autorec.commit": version.tags.get("git.commit", ""),
    }


@dataclass(frozen=True)
class _Usable:
    """Scores the usable rows of one file, and sets the others aside.

    Args:
        scorer: The model.
        source: The file.
        entry: The data set's entry in params.yaml.
        bad: The rows set aside.
        unknown: Counts unknown ids.
    """

    scorer: RowScorer
    source: Path
    entry: DatasetParams
    bad: BadRows
    unknown: UnknownIds

    def scored(self, table: pa.Table, before: int) -> pa.Table:
        """Returns a chunk's usable rows with their scores; `before` is the number of rows before.

        Raises:
            DataError: The file lacks a column, or has more bad rows than may be set aside.
        """
        check_names(self.source, table.column_names)
        columns = self.scorer.columns
        if missing := [name for name in columns if name not in table.column_names]:
            raise DataError(
                f"{self.source} lacks the columns {listed(missing)}. "
                f"It has: {listed(table.column_names)}."
            )
        try:
            return _with_scores(table, self.scorer.score_table(table, self.unknown))
        except DataError as error:
            usable = table
            if self.bad.limit:
                usable = without_bad_cells(
                    table, columns, self.entry, self.source, before, self.bad
                )
            if len(usable) == len(table):
                raise DataError(f"{self.source}, after {before:,} rows: {error}") from error
        return _with_scores(usable, self.scorer.score_table(usable, self.unknown))


def _score(
    usable: _Usable,
    chunks: Iterator[tuple[pa.Table, float]],
    target: Path,
    metadata: Mapping[str, str],
) -> int:
    """Scores chunk by chunk. Returns the number of rows."""
    rows = before = 0
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    name = escape(usable.source.name)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Scoring {name}", total=1.0, rows=0)
        with RowWriter(target, metadata) as writer:
            for table, done in chunks:
                scored = usable.scored(table, before)
                writer.write(scored)
                before += table.num_rows
                rows += scored.num_rows
                progress.update(task, completed=done, rows=rows)
    if not rows:
        raise DataError(f"{usable.source} has no rows.")
    return rows


def _with_scores(table: pa.Table, scores: Any) -> pa.Table:
    if SCORE in table.column_names:
        table = table.drop_columns(SCORE)
    return table.append_column(SCORE, pa.array(scores, pa.float32()))


class RowWriter:
    """Writes tables one after the other to a CSV, TSV or Parquet file.

    Args:
        path: The file.
        metadata: Metadata for a Parquet file.
    """

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self._path, self._metadata = path, metadata
        self._writer: Any = None

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Adds rows."""
        if self._writer is None:
            schema = table.schema.with_metadata({**(table.schema.metadata or {}), **self._metadata})
            self._writer = self._open(schema)
        self._writer.write_table(table.replace_schema_metadata(self._writer.schema.metadata))

    def _open(self, schema: pa.Schema) -> Any:
        if self._path.suffix == ".parquet":
            return pq.ParquetWriter(self._path, schema)
        options = pc.WriteOptions(delimiter=SEPARATORS[self._path.suffix], quoting_style="needed")
        return _Text(pc.CSVWriter(self._path, schema, write_options=options), schema)


class _Text:
    """A CSV writer with a schema, like the Parquet writer."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        self.schema = schema
        self.write_table, self.close = writer.write_table, writer.close
