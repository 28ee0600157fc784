"""Encoded splits on disk: Parquet files that come and go whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.data.schema import Examples, Schema
from autorec_core.errors import DataError

ROW_NUMBER = "__row__"
"""The column that says which row of the raw file, counted from 0, a split's row is."""


def save_examples(folder: Path, part: str, examples: Examples, schema: Schema) -> None:
    """Writes one part's encoded rows as `<part>.parquet`: int32 ids, float32 numbers, label."""
    columns = {
        field.name: pa.array(examples.categorical[:, position])
        for position, field in enumerate(schema.categorical)
    }
    columns |= {
        name: pa.array(examples.numeric[:, position])
        for position, name in enumerate(schema.numeric)
    }
    columns[schema.label] = pa.array(examples.label)
    pq.write_table(pa.table(columns), folder / f"{part}.parquet")


def load_examples(folder: Path, part: str) -> Examples:
    """Reads one part's encoded rows.

    Args:
        folder: A folder that `prepare` wrote.
        part: "train", "valid" or "test".

    Raises:
        DataError: The folder does not hold them.
    """
    schema = load_schema(folder)
    table = _table(folder / f"{part}.parquet")
    return Examples(
        _matrix(table, [field.name for field in schema.categorical], "int32"),
        _matrix(table, list(schema.numeric), "float32"),
        table[schema.label].to_numpy().astype("float32"),
    )


def load_schema(folder: Path) -> Schema:
    """Reads the schema beside the splits."""
    try:
        return Schema.from_dict(json.loads((folder / "schema.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} holds no prepared data: {error}.") from error


def save_rows(folder: Path, part: str, rows: pd.DataFrame, numbers: np.ndarray) -> None:
    """Writes one part's raw rows as `rows_<part>.parquet`, with their numbers in the raw file."""
    rows.assign(**{ROW_NUMBER: numbers}).to_parquet(folder / f"rows_{part}.parquet", index=False)


def load_rows(folder: Path, part: str, *, numbered: bool = False) -> pd.DataFrame:
    """Reads one part's raw rows, as they stood in the raw file; `numbered`, with their numbers."""
    rows = _table(folder / f"rows_{part}.parquet").to_pandas()
    return rows if numbered else rows.drop(columns=ROW_NUMBER)


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def _matrix(table: pa.Table, names: list[str], dtype: str) -> np.ndarray:
    matrix = np.empty((table.num_rows, len(names)), dtype=dtype)
    for position, name in enumerate(names):
        matrix[:, position] = table[name].to_numpy()
    return matrix
