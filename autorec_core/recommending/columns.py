"""Columns of a user or an item: those that have the same value in all of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.preparing import store
from autorec_core.data.preparing.split import PARTS
from autorec_core.recommending.index import NOWHERE, Index


@dataclass(frozen=True, eq=False)
class OwnColumns:
    """The columns that depend only on a key, with their value for each key.

    Args:
        keys: The users, or the items, of the data.
        columns: By name, the value of each key.
    """

    keys: Index
    columns: Mapping[str, pa.Array] = field(default_factory=dict)

    def of(self, key: str, wanted: pa.Array, names: Sequence[str]) -> pa.Table:
        """Returns the wanted keys with the values of some columns, null for keys without a row."""
        places = self.keys.find(wanted)
        indices = pa.array(places, mask=places == NOWHERE)
        return pa.table({key: wanted, **{name: self.columns[name].take(indices) for name in names}})


def own_columns(
    folder: Path, key: str, names: Sequence[str], separators: Mapping[str, str]
) -> OwnColumns:
    """Finds the columns that have the same value in all rows of each key.

    Args:
        folder: A folder that `prepare` wrote.
        key: The user or item column.
        names: The columns to look at.
        separators: The separator of each multi-valued column.

    Raises:
        DataError: The files of the splits do not exist.
    """
    found: dict[str, pa.Table] = {}
    open_ = list(names)
    for part in PARTS:
        if not open_:
            break
        file = folder / f"rows_{part}.parquet"
        for table in store.read_tables(file, columns={key, *open_}):
            open_ = [name for name in open_ if name in table.column_names]
            for name in list(open_):
                column = _comparable(table[name], separators.get(name))
                pairs = pa.table({"key": values.plain(table[key]), "value": column})
                pairs = pairs.filter(pairs["key"].is_valid())
                together = pa.concat_tables([found[name], pairs] if name in found else [pairs])
                found[name] = together.group_by(["key", "value"]).aggregate([])
                if len(found[name]) != len(found[name]["key"].unique()):
                    open_.remove(name)  # two values of one key
    if not open_:
        return OwnColumns(Index(pa.array([], pa.string())))
    keys = Index(found[open_[0]]["key"].unique())
    columns = {}
    for name in open_:
        order = pa.array(Index(values.plain(found[name]["key"])).find(keys.texts))
        columns[name] = values.plain(found[name]["value"]).take(order)
    return OwnColumns(keys, columns)


def _comparable(column: pa.ChunkedArray, separator: str | None) -> pa.Array:
    plain = values.plain(column)
    if separator is not None:
        return values.join_cells(plain, separator)
    if pa.types.is_floating(plain.type):
        return values.numbers(plain)[0]
    return plain
