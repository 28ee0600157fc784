"""Scores files of raw rows with the live model, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from autorec_core.config import Params
from autorec_core.errors import DataError, listed
from autorec_core.files import whole_file
from flows.registry import load_champion

CHUNK = 100_000
SEPARATORS = {".csv": ",", ".tsv": "\t"}
KINDS = ".csv, .tsv and .parquet"


def score_file(dataset: str, source: Path, target: Path, *, alias: str = "champion") -> None:
    """Scores a CSV, TSV or Parquet file; the result has its columns and a last one, `score`.

    Raises:
        ConfigError: The data set is unknown or has no model of this alias.
        DataError: The file cannot be read, lacks a column, or the result cannot be written.
    """
    Params.load().dataset(dataset)
    for path in (source, target):
        if path.suffix not in (*SEPARATORS, ".parquet"):
            raise DataError(
                f"{path}: files of kind {path.suffix or 'unknown'} are not read or "
                f"written; {KINDS} are."
            )
    chunks = _read(source)
    first = next(chunks, None)
    if first is None or first.empty:
        raise DataError(f"{source} has no rows.")
    model, number = load_champion(dataset, alias)
    needed = model.metadata.get_input_schema().input_names()
    if missing := [name for name in needed if name not in first]:
        raise DataError(
            f"{source} lacks the columns {listed(missing)}. It has: {listed(first.columns)}."
        )
    rows = 0
    with whole_file(target) as written, _Writer(written, target.suffix) as writer:
        for chunk in _chain(first, chunks):
            writer.write(chunk.assign(score=model.predict(chunk)))
            rows += len(chunk)
    Console().print(f"{rows:,} rows scored by version {number} of autorec-{dataset}: {target}")


def _chain(first: pd.DataFrame, others: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    yield first
    yield from others


def _read(path: Path) -> Iterator[pd.DataFrame]:
    """The file's rows, a chunk at a time."""
    try:
        if path.suffix == ".parquet":
            for batch in pq.ParquetFile(path).iter_batches(CHUNK):
                yield batch.to_pandas()
        else:
            # As text, so that what is written back is what was read.
            with pd.read_csv(
                path,
                sep=SEPARATORS[path.suffix],
                chunksize=CHUNK,
                dtype="str",
                keep_default_na=False,
            ) as reader:
                yield from reader
    except (OSError, pa.ArrowInvalid, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


class _Writer:
    """Writes chunks to a file of one kind."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        self.parquet: pq.ParquetWriter | None = None
        self.started = False

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.parquet is not None:
            self.parquet.close()

    def write(self, chunk: pd.DataFrame) -> None:
        """Adds rows."""
        if self.kind == ".parquet":
            table = pa.Table.from_pandas(chunk, preserve_index=False)
            if self.parquet is None:
                self.parquet = pq.ParquetWriter(self.path, table.schema)
            self.parquet.write_table(table.cast(self.parquet.schema))
        else:
            chunk.to_csv(
                self.path,
                sep=SEPARATORS[self.kind],
                index=False,
                mode="a",
                header=not self.started,
            )
        self.started = True
