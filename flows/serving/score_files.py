"""Scores files of raw rows with the live model, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from autorec_core.errors import DataError, listed
from autorec_core.files import whole_file
from flows.config import Params
from flows.registry.loading import RowScorer, load_scorer
from flows.registry.versions import LIVE, Version, aliased, model_name
from flows.serving import raw_format

SEPARATORS = {".csv": ",", ".tsv": "\t"}
KINDS = (*SEPARATORS, ".parquet")
# Small, because Arrow reads blocks ahead and is slow to reuse memory: with 4 MiB, memory kept
# growing over millions of rows.
BLOCK_BYTES = 1 << 19
LEAST_ROWS = 8192  # blocks are joined up to this: a block of wide rows has few rows
ROWS = 1 << 16
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
    with opened(source, entry if layout else None) as chunks:
        version = aliased(dataset, alias, root)
        scorer = load_scorer(version, root)
        unknown = scorer.unknown_ids()
        with whole_file(target) as written:
            rows = _score(scorer, source, chunks, written, made_by(version), unknown)
            if (names := unknown.wholly_unknown) and not allow_unknown:
                raise DataError(
                    f"{source}: version {version.number} of {model_name(dataset)} knows no value "
                    f"of {listed(names)}. Check that they are written as in the training file. To "
                    "score them anyway, use --allow-unknown."
                )
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


def _score(
    scorer: RowScorer,
    source: Path,
    chunks: Iterator[tuple[pa.Table, float]],
    target: Path,
    metadata: Mapping[str, str],
    unknown: UnknownIds,
) -> int:
    """Scores chunk by chunk. Returns the number of rows."""
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
                _no_doubled_name(source, table.column_names)
                if missing := [name for name in scorer.columns if name not in table.column_names]:
                    raise DataError(
                        f"{source} lacks the columns {listed(missing)}. "
                        f"It has: {listed(table.column_names)}."
                    )
                try:
                    scores = scorer.score_table(table, unknown)
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


def _no_doubled_name(source: Path, names: Sequence[str]) -> None:
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{source} has more than one column {listed(doubled)}.")


@contextmanager
def opened(
    path: Path, entry: DatasetParams | None = None
) -> Iterator[Iterator[tuple[pa.Table, float]]]:
    """Opens a file and yields its rows in chunks, each with the share of the file read so far.

    Args:
        path: The file.
        entry: The data set's entry if the file has its format; else None.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        if entry is not None:
            chunks = _joined(raw_format.read(entry, path, BLOCK_BYTES))
        elif path.suffix == ".parquet":
            chunks = _parquet(file)
        else:
            chunks = _text(file, path)
        yield _read(path, chunks)


def _read(path: Path, chunks: Iterator[tuple[pa.Table, float]]) -> Iterator[tuple[pa.Table, float]]:
    """Yields the chunks. Turns errors of reading into DataError, but not errors of the consumer."""
    try:
        yield from chunks
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read: {error}.")


def _parquet(file: Any) -> Iterator[tuple[pa.Table, float]]:
    opened = pq.ParquetFile(file)
    total, done = max(opened.metadata.num_rows, 1), 0
    for batch in opened.iter_batches(ROWS):
        done += batch.num_rows
        yield pa.Table.from_batches([batch]), done / total


def _text(file: Any, path: Path) -> Iterator[tuple[pa.Table, float]]:
    # All columns as text, so that they are written back unchanged.
    names = pc.open_csv(
        path, parse_options=pc.ParseOptions(delimiter=SEPARATORS[path.suffix])
    ).schema.names
    _no_doubled_name(path, names)
    total = max(path.stat().st_size, 1)
    reader = pc.open_csv(
        file,
        read_options=pc.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=pc.ParseOptions(delimiter=SEPARATORS[path.suffix], newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    blocks = ((pa.Table.from_batches([block]), min(file.tell() / total, 1.0)) for block in reader)
    yield from _joined(blocks)


def _joined(blocks: Iterable[tuple[pa.Table, float]]) -> Iterator[tuple[pa.Table, float]]:
    """Joins blocks to at least `LEAST_ROWS` rows, since many small model calls are slow."""
    held: list[pa.Table] = []
    done = 0.0
    for block, done in blocks:
        held.append(block)
        if sum(one.num_rows for one in held) >= LEAST_ROWS:
            yield pa.concat_tables(held), done
            held = []
    if held:
        yield pa.concat_tables(held), done


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
