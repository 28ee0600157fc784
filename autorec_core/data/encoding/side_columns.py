"""The encoded columns of a side table: each row is encoded once and looked up by its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from autorec_core.data.encoding.lists import list_ids
from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.data.encoding.vocabulary import UNKNOWN, Vocabulary
from autorec_core.data.schema import Schema
from autorec_core.data.side_table import SideTable


@dataclass(frozen=True, eq=False)
class SideColumns:
    """The encoded columns of a side table. Row 0 is that of an unknown or missing key.

    Args:
        joins: The column of the rows that holds the keys.
        index: The keys; the id of a key is its row.
        ids: int32, shape (rows, id columns of the table).
        id_places: The places of these columns among all encoded ids.
        numbers: float64 before the numeric transform, NaN if missing, shape (rows, numeric columns
            of the table).
        number_places: The places of these columns among all numeric columns.
        counts: By column, the number of unknown ids and of all ids in each row: int64 (rows, 2).
    """

    joins: str
    index: Vocabulary
    ids: np.ndarray
    id_places: np.ndarray
    numbers: np.ndarray
    number_places: np.ndarray
    counts: Mapping[str, np.ndarray]

    def fill(
        self,
        keys: pa.Array | list[str | None],
        ids: np.ndarray,
        numbers: np.ndarray,
        unknown: UnknownIds,
    ) -> None:
        """Writes this table's columns into the encoded rows.

        Args:
            keys: The keys of the rows in canonical form, as `Vocabulary.lookup` takes them.
            ids: int32, shape (rows, id columns). Changed here.
            numbers: float64, shape (rows, numeric columns). Changed here.
            unknown: Counts unknown ids.
        """
        rows = self.index.lookup(keys)
        ids[:, self.id_places] = self.ids[rows]
        numbers[:, self.number_places] = self.numbers[rows]
        for name, counts in self.counts.items():
            unknown.add(name, *(int(total) for total in counts[rows].sum(axis=0)))


def encode_table(
    table: SideTable,
    schema: Schema,
    vocabularies: Mapping[str, Vocabulary],
    numeric: tuple[str, ...],
) -> SideColumns:
    """Encodes the columns of a side table, as if they were columns of the rows.

    Args:
        table: The table.
        schema: The schema of the data, which has the table's columns too.
        vocabularies: The vocabularies of the categorical and multi-valued columns.
        numeric: The names of the numeric columns, without 0/1 columns.
    """
    columns = {
        name: pa.concat_arrays([pa.nulls(1, column.type), column])
        for name, column in table.columns.items()
    }
    places: list[int] = []
    ids: list[np.ndarray] = []
    counts: dict[str, np.ndarray] = {}
    for place, field in enumerate(schema.categorical):
        if field.name in columns:
            found = vocabularies[field.name].lookup(columns[field.name])
            places.append(place)
            ids.append(found[:, None])
            counts[field.name] = np.stack([found == UNKNOWN, np.ones(len(found))], 1).astype(int)
    for one in schema.lists:
        if one.name in columns:
            found, filled = list_ids(columns[one.name], one, vocabularies[one.name])
            places += range(schema.first_place(one), schema.first_place(one) + one.length)
            ids.append(found)
            known = np.count_nonzero(found, axis=1)
            counts[one.name] = np.stack([filled - known, filled], 1)
    numbers = [name for name in numeric if name in columns]
    nothing = np.zeros((len(table) + 1, 0))
    return SideColumns(
        table.joins,
        Vocabulary(table.keys, pa.nulls(len(table), pa.int64())),
        np.concatenate([nothing.astype(np.int32), *ids], axis=1),
        np.array(places, dtype=np.int64),
        np.stack([columns[name].to_numpy(zero_copy_only=False) for name in numbers], 1)
        if numbers
        else nothing,
        np.array([numeric.index(name) for name in numbers], dtype=np.int64),
        counts,
    )
