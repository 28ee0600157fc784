"""What can be wrong with the encoded columns of a split, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data.compute import HERE
from autorec_core.data.preparing.store import opened
from autorec_core.data.schema import Schema
from autorec_core.errors import listed

NAMED = 20
FAULTS = ["missing", "below", "above", "wrong_type"]


def title(encoded: pd.DataFrame) -> str:
    """What to call the encoded columns: with the names of those in which anything is wrong."""
    named = encoded.assign(column=encoded["column"] + " of " + encoded["split"])
    return naming("encoded columns", named, (encoded[FAULTS] > 0).any(axis=1))


def naming(title: str, table: pd.DataFrame, wrong: pd.Series) -> str:
    """A title with the names of those rows' columns in which anything is wrong."""
    names = table["column"][wrong].tolist()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{title} ({listed(names[:NAMED])}{more})" if names else title


def encoded_columns(prepared: Path, part: str, schema: Schema) -> pd.DataFrame:
    """A row a column of an encoded split: its rows, gaps, and ids outside its vocabulary."""
    sizes = [field.vocabulary_size for field in schema.categorical]
    sizes += [one.vocabulary_size for one in schema.lists for _ in range(one.length)]
    size_of = dict(zip(schema.id_columns, sizes, strict=True))
    names = [*schema.id_columns, *schema.numeric, schema.label]
    path = prepared / f"{part}.parquet"
    with opened(path) as file:
        groups = file.num_row_groups
    counts = {name: dict.fromkeys(_COUNTED, 0) for name in names}
    calls = ((path, size_of, names, group) for group in range(groups))
    for found in HERE.map(_count_group, calls):
        for name, of_group in found.items():
            for key, number in of_group.items():
                counts[name][key] += number
    columns = pd.DataFrame.from_dict(counts, orient="index").reset_index(names="column")
    return columns.assign(split=part)


def _count_group(
    path: Path, size_of: Mapping[str, int], names: Sequence[str], group: int
) -> dict[str, dict[str, int]]:
    """What `encoded_columns` counts, in one row group."""
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
    """Whether all ids are of a vocabulary: the quick answer, which it nearly always is."""
    ends = pc.min_max(ids).as_py()
    return bool(ends["min"] is None or (ends["min"] >= 0 and ends["max"] < size))


def _true(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
