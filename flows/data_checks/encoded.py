"""Counts faults in the encoded columns of a split: missing values, wrong ids, wrong types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data.compute import LOCAL
from autorec_core.data.preparing.store import opened
from autorec_core.data.schema import Schema
from autorec_core.errors import listed

NAMED = 20
FAULTS = ["missing", "below", "above", "wrong_type"]


def title(encoded: pd.DataFrame) -> str:
    """Returns the table's title, with the names of the encoded columns that have faults."""
    named = encoded.assign(column=encoded["column"] + " of " + encoded["split"])
    return naming("encoded columns", named, (encoded[FAULTS] > 0).any(axis=1))


def naming(title: str, table: pd.DataFrame, wrong: pd.Series) -> str:
    """Adds the names of the faulty columns to a title.

    Args:
        title: The title.
        table: One row per column, with its name in `column`.
        wrong: Which rows are faulty, bool.
    """
    names = table["column"][wrong].tolist()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{title} ({listed(names[:NAMED])}{more})" if names else title


def encoded_columns(prepared: Path, part: str, schema: Schema) -> pd.DataFrame:
    """Counts, for each column of a split: rows, missing values, wrong ids, wrong type.

    Returns:
        One row per column.
    """
    sizes = [field.vocabulary_size for field in schema.categorical]
    sizes += [field.vocabulary_size for field in schema.lists for _ in range(field.length)]
    size_of = dict(zip(schema.id_columns, sizes, strict=True))
    names = [*schema.id_columns, *schema.numeric, schema.label]
    path = prepared / f"{part}.parquet"
    with opened(path) as file:
        groups = file.num_row_groups
    counts = {name: dict.fromkeys(_COUNTED, 0) for name in names}
    calls = ((path, size_of, names, group) for group in range(groups))
    for found in LOCAL.map(_count_group, calls):
        for name, of_group in found.items():
            for key, number in of_group.items():
                counts[name][key] += number
    columns = pd.DataFrame.from_dict(counts, orient="index").reset_index(names="column")
    return columns.assign(split=part)


def _count_group(
    path: Path, size_of: Mapping[str, int], names: Sequence[str], group: int
) -> dict[str, dict[str, int]]:
    """Returns the counts of `encoded_columns` for one row group."""
    with opened(path) as file:
        table = file.read_row_group(group)
    counts = {name: dict.fromkeys(_COUNTED, 0) for name in names}
    for name, found in counts.items():
        column = table[name]
        is_id = name in size_of
        found["rows"] = len(column)
        found["missing"] = column.null_count
        found["wrong_type"] = int(column.type != (pa.int32() if is_id else pa.float32()))
        if not is_id:
            found["missing"] += _true(pc.invert(pc.is_finite(column)))
        elif not _is_inside(column, size_of[name]):
            found["below"] = _true(pc.less(column, 0))
            found["above"] = _true(pc.greater_equal(column, size_of[name]))
    return counts


_COUNTED = ("rows", *FAULTS)


def _is_inside(ids: pa.ChunkedArray, size: int) -> bool:
    """Returns whether all ids are in the vocabulary: a fast check that nearly always succeeds."""
    ends = pc.min_max(ids).as_py()
    return bool(ends["min"] is None or (ends["min"] >= 0 and ends["max"] < size))


def _true(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
