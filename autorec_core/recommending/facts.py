"""What is known of items: titles for people, and the columns by which candidates are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.side_table import SideTable
from autorec_core.errors import DataError, listed
from autorec_core.recommending.columns import OwnColumns
from autorec_core.recommending.index import Index

NO_COLUMNS = OwnColumns(Index(pa.array([], pa.string())))


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column.

    Args:
        here: The cell of each item asked for, shape (items,).
        all: The cells of all items, which say what values there are.
        separator: The text between two values of a cell, if a cell may have several; else None.
    """

    here: pa.Array
    all: pa.Array
    separator: str | None


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """The columns of items, from all places that have some.

    Args:
        own: The columns of the data that have one value for each item.
        tables: The side tables of items.
        separators: The separator of each multi-valued column.
    """

    own: OwnColumns = NO_COLUMNS
    tables: Sequence[SideTable] = ()
    separators: Mapping[str, str] = field(default_factory=dict)

    def cells(self, name: str, items: pa.Array, given: pa.Table) -> Cells:
        """Returns a column of items.

        It is taken from the first of these that has it: what is given with the items, a side
        table, the data.

        Args:
            name: The name of the column.
            items: The items.
            given: Columns that are given with them.

        Raises:
            DataError: There is no such column.
        """
        separator = self.separators.get(name)
        if name in given.column_names:
            here = values.plain(given[name])
            return Cells(here, here, separator)
        for table in self.tables:
            if name in (columns := _columns(table)):
                rows = table.find(items)
                here = columns[name].take(pa.array(rows, mask=rows == len(table)))
                return Cells(here, columns[name], separator)
        if name in self.own.columns:
            here = values.plain(self.own.of("", items, [name])[name])
            return Cells(here, self.own.columns[name], separator)
        of_tables = [one for table in self.tables for one in _columns(table)]
        known = {*given.column_names, *of_tables, *self.own.columns}
        raise DataError(f"Items have no column {name}. Their columns are: {listed(known)}.")

    @property
    def has_titles(self) -> bool:
        """Whether a table has titles."""
        return self._titled is not None

    def titles(self, items: pa.Array) -> pa.Array:
        """Returns the titles of items: strings, null if there is none."""
        if self._titled is None:
            return pa.nulls(len(items), pa.string())
        return self._titled.titles_of(items)

    @cached_property
    def _titled(self) -> SideTable | None:
        """The first table that has titles."""
        return next((table for table in self.tables if table.titles is not None), None)


def _columns(table: SideTable) -> Mapping[str, pa.Array]:
    """Returns the columns of a table, with its titles."""
    return table.columns if table.title is None else {**table.columns, table.title: table.titles}


NO_FACTS = ItemFacts()
