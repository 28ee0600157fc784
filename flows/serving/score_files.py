"""Scores files of raw rows with the live model, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from autorec_core.errors import DataError, listed
from autorec_core.files import whole_file
from flows.config import Params
from flows.registry.loading import RowScorer, load_scorer
from flows.registry.versions import LIVE, Version, aliased, model_name

SEPARATORS = {".csv": ",", ".tsv": "\t"}
KINDS = ".csv, .tsv and .parquet"
# Arrow reads blocks ahead and reuses late what it has freed: with blocks of 4 MiB memory went on
# growing for millions of rows.
BLOCK_BYTES = 1 << 19
LEAST_ROWS = 8192  # blocks of wide rows hold few
ROWS = 1 << 16
SCORE = "score"


def score_file(
    dataset: str, source: Path, target: Path, *, alias: str = LIVE, root: Path = Path()
) -> Version:
    """Scores a CSV, TSV or Parquet file; the result has its columns and a last one, `score`.

    Args:
        dataset: The data set.
        source: The file of raw rows.
        target: The file to appear; a Parquet file says in its metadata which model made it.
        alias: Which registered model scores.
        root: The workspace: the folder that holds params.yaml.

    Returns:
        The version that scored.

    Raises:
        ConfigError: The data set is unknown or has no model of this alias.
        DataError: The file cannot be read, lacks a column, or the result cannot be written.
        RegistryError: The model cannot be loaded, or is not what was registered.
    """
    Params.load(root / "params.yaml").dataset(dataset)
    for path in (source, target):
        if path.suffix not in (*SEPARATORS, ".parquet"):
            raise DataError(
                f"{path}: files of kind {path.suffix or 'unknown'} are not read or "
                f"written; {KINDS} are."
            )
    with opened(source) as chunks:
        version = aliased(dataset, alias, root)
        scorer = load_scorer(version, root)
        with whole_file(target) as written:
            rows = _score(scorer, source, chunks, written, made_by(version))
    Console().print(
        f"{rows:,} rows scored by version {version.number} of {model_name(dataset)}: {target}",
        markup=False,
    )
    return version


def made_by(version: Version) -> dict[str, str]:
    """What a file of scores must say of the model that made it, for its metadata."""
    return {
        "autorec.model": model_name(version.dataset),
        "autorec.version": str(version.number),
        "autorec.data": version.tags.get("dvc.prepared", ""),
        "autorec.commit": version.tags.get("git.commit", ""),
    }


def _score(
    scorer: RowScorer,
    source: Path,
    chunks: Iterator[tuple[pa.Table, float]],
    target: Path,
    metadata: Mapping[str, str],
) -> int:
    """Scores chunk by chunk; returns the number of rows."""
    rows = 0
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Scoring {escape(source.name)}", total=1.0, rows=0)
        with RowWriter(target, metadata) as writer:
            for table, done in chunks:
                if missing := [name for name in scorer.columns if name not in table.column_names]:
                    raise DataError(
                        f"{source} lacks the columns {listed(missing)}. "
                        f"It has: {listed(table.column_names)}."
                    )
                try:
                    scores = scorer.score_table(table)
                except DataError as error:
                    raise DataError(f"{source}, after {rows:,} rows: {error}") from error
                writer.write(_with_scores(table, scores))
                rows += table.num_rows
                progress.update(task, completed=done, rows=rows)
    if not rows:
        raise DataError(f"{source} has no rows.")
    return rows


def _with_scores(table: pa.Table, scores: Any) -> pa.Table:
    if SCORE in table.column_names:
        table = table.drop_columns(SCORE)
    return table.append_column(SCORE, pa.array(scores, pa.float32()))


@contextmanager
def opened(path: Path) -> Iterator[Iterator[tuple[pa.Table, float]]]:
    """The file's rows, a chunk at a time, each with the share of the file read by then."""
    try:
        with path.open("rb") as file:
            yield _parquet(file) if path.suffix == ".parquet" else _text(file, path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def _parquet(file: Any) -> Iterator[tuple[pa.Table, float]]:
    opened = pq.ParquetFile(file)
    total, done = max(opened.metadata.num_rows, 1), 0
    for batch in opened.iter_batches(ROWS):
        done += batch.num_rows
        yield pa.Table.from_batches([batch]), done / total


def _text(file: Any, path: Path) -> Iterator[tuple[pa.Table, float]]:
    # As text, so that what is written back is what was read.
    names = pc.open_csv(
        path, parse_options=pc.ParseOptions(delimiter=SEPARATORS[path.suffix])
    ).schema.names
    total = max(path.stat().st_size, 1)
    reader = pc.open_csv(
        file,
        read_options=pc.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=pc.ParseOptions(delimiter=SEPARATORS[path.suffix], newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    for table in _joined(reader):
        yield table, min(file.tell() / total, 1.0)


def _joined(blocks: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Blocks put together until they have rows enough for the model to be worth its call."""
    held: list[pa.RecordBatch] = []
    for block in blocks:
        held.append(block)
        if sum(one.num_rows for one in held) >= LEAST_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


class RowWriter:
    """Writes tables one below the other to a file of one kind.

    Args:
        path: The file.
        metadata: What a Parquet file says of itself.
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
    """A CSV writer that knows its schema, as Parquet's does."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        self.schema = schema
        self.write_table, self.close = writer.write_table, writer.close
