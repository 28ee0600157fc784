"""From a raw file of any size to encoded splits: split, fit on train, encode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from autorec_core.config import DatasetParams, PreprocessParams, SplitParams
from autorec_core.data.bad_rows import BadRows
from autorec_core.data.compute import HERE, Compute
from autorec_core.data.preprocessor import Preprocessor, TrainStatistics
from autorec_core.data.profile import PartProfile
from autorec_core.data.raw import bad_rows_of, read_chunks
from autorec_core.data.schema import Examples
from autorec_core.data.split import PARTS, stratified_sample
from autorec_core.data.store import (
    ROW_NUMBER,
    TableWriter,
    encoded_table,
    read_tables,
    table_writer,
)
from autorec_core.data.survey import Survey, survey
from autorec_core.data.values import plain
from autorec_core.files import whole_folder, write_json

SPOOL = "spool.parquet"


def prepare(
    entry: DatasetParams,
    split: SplitParams,
    preprocess: PreprocessParams,
    seed: int,
    raw: Path,
    out: Path,
    compute: Compute = HERE,
) -> dict[str, Any]:
    """Writes encoded splits, raw rows of each split, schema, vocabularies and a profile.

    Rows pass in chunks: once from the raw file, to be seen to be right and to learn the labels;
    then to their split, where those of train are counted; then through the preprocessor. What is
    kept of every row meanwhile is a byte or two.

    Args:
        entry: The data set's entry in params.yaml.
        split: How rows are divided.
        preprocess: How columns become ids and numbers.
        seed: Seeds the split, and the sample where the entry asks for one.
        raw: The raw file, or a pattern for several.
        out: The folder to appear; an earlier one is replaced at the end, or stays.
        compute: Where partitions are read, counted and encoded.

    Returns:
        The profile, as written to `profile.json`.

    Raises:
        DataError: The raw file is not what the entry says, or `out` cannot be written.
    """
    with whole_folder(out) as folder:
        bad = bad_rows_of(entry)
        found = _spool(entry, split, seed, raw, folder / SPOOL, bad, compute)
        parts = found.parts(split, seed)
        preprocessor = _divide(entry, preprocess, folder, parts, compute)
        (folder / SPOOL).unlink()
        preprocessor.save(folder)
        profile: dict[str, Any] = {
            "split": {"strategy": split.strategy, "ratios": split.ratios, "seed": seed},
            "bad_rows": len(bad.rows),
            "splits": {part: _encode(folder, part, preprocessor, compute) for part in PARTS},
        }
        if bad.rows:
            pyarrow.csv.write_csv(bad.table(), folder / "bad_rows.csv")
        write_json(folder / "profile.json", profile)
    return profile


def _spool(
    entry: DatasetParams,
    split: SplitParams,
    seed: int,
    raw: Path,
    spool: Path,
    bad: BadRows,
    compute: Compute,
) -> Survey:
    """Reads the raw file; its rows, or a sample of them, go to `spool`."""
    chosen = None
    if entry.sample is not None:
        chunks = read_chunks(entry, raw, bad=bad_rows_of(entry), compute=compute)
        labels = survey(entry, split, chunks, place=raw)
        chosen = stratified_sample(labels.labels, entry.sample, seed)
    with table_writer(spool) as writer:
        chunks = read_chunks(entry, raw, bad=bad, compute=compute)
        return survey(entry, split, chunks, place=raw, writer=writer, chosen=chosen)


def _divide(
    entry: DatasetParams,
    preprocess: PreprocessParams,
    folder: Path,
    parts: np.ndarray,
    compute: Compute,
) -> Preprocessor:
    """Brings each row to its split, and learns from those of train."""
    statistics = TrainStatistics(entry, preprocess)
    with ExitStack() as stack:
        writers = [stack.enter_context(table_writer(_rows_file(folder, part))) for part in PARTS]
        trained = _divided(entry, folder / SPOOL, parts, writers)
        calls = ((entry, preprocess, rows) for rows in trained)
        for counted in compute.map(count_rows, calls):
            statistics.merge(counted)
    return statistics.finish()


def _divided(
    entry: DatasetParams, spool: Path, parts: np.ndarray, writers: Sequence[TableWriter]
) -> Iterator[pa.Table]:
    """Writes each row to its split; gives those of train."""
    start = 0
    for table in read_tables(spool, coded=entry.categorical):
        of_rows = parts[start : start + table.num_rows]
        start += table.num_rows
        for number, writer in enumerate(writers):
            rows = table.filter(pa.array(of_rows == number))
            writer.write(rows)
            if number == 0:
                yield rows


def count_rows(
    entry: DatasetParams, preprocess: PreprocessParams, rows: pa.Table
) -> TrainStatistics:
    """What some training rows teach. A function of one partition: it can run anywhere."""
    statistics = TrainStatistics(entry, preprocess)
    statistics.update(_coded_columns(rows))
    return statistics


def _encode(
    folder: Path, part: str, preprocessor: Preprocessor, compute: Compute
) -> dict[str, Any]:
    """Encodes one split's rows; returns their profile."""
    schema = preprocessor.schema
    profile = PartProfile(preprocessor)
    shared = compute.share(preprocessor)
    coded = [field.name for field in schema.categorical]
    tables = read_tables(_rows_file(folder, part), coded=coded)
    profiled = [*preprocessor.numeric.names, *(one.name for one in schema.lists)]
    waiting: deque[dict[str, pa.Array]] = deque()

    def calls() -> Iterator[tuple[Any, pa.Table]]:
        for table in tables:
            waiting.append(_coded_columns(table.select(profiled)))
            yield shared, table

    with table_writer(folder / f"{part}.parquet") as writer:
        for examples in compute.map(encode_rows, calls()):
            writer.write(encoded_table(examples, schema))
            profile.update(waiting.popleft(), examples)
    return profile.finish()


def encode_rows(preprocessor: Preprocessor, rows: pa.Table) -> Examples:
    """Some rows, encoded. A function of one partition: it can run anywhere."""
    columns = _coded_columns(rows.drop_columns(ROW_NUMBER))
    return preprocessor.encode_columns(columns, rows.num_rows)


def _coded_columns(table: pa.Table) -> dict[str, pa.Array]:
    """A table's columns in one piece each; dictionaries stay."""
    return {
        name: _one(table[name]) if pa.types.is_dictionary(table[name].type) else plain(table[name])
        for name in table.column_names
    }


def _one(column: pa.ChunkedArray) -> pa.Array:
    pieces = column.unify_dictionaries().combine_chunks()
    if not isinstance(pieces, pa.ChunkedArray):
        return pieces
    if pieces.num_chunks:
        return pieces.chunk(0)
    return pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))


def _rows_file(folder: Path, part: str) -> Path:
    return folder / f"rows_{part}.parquet"
