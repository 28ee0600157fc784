"""Conditions on the columns of items. An empty cell fulfils no comparison, not even `!=`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import values
from autorec_core.data.canonical import category
from autorec_core.errors import DataError, listed
from autorec_core.recommending.facts import Cells

Look = Callable[[str], Cells]
"""Finds a column by its name."""
ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
MOST_NAMED = 10
"""The most values of a column that an error names."""


class Condition(Protocol):
    """A condition that an item fulfils or not."""

    def holds(self, look: Look) -> pa.Array:
        """Returns which candidates fulfil it: bool, null if a cell is empty, shape (candidates,).

        Raises:
            DataError: A column or a value does not exist, or cannot be compared.
        """


@dataclass(frozen=True)
class OneOf:
    """The cell is one of some values, or one of its values is.

    Args:
        column: The name of the column.
        wanted: The values, as texts.
    """

    column: str
    wanted: tuple[str, ...]

    def holds(self, look: Look) -> pa.Array:
        """Returns which candidates have one of the values; see `Condition`."""
        cells = look(self.column)
        wanted = pa.array([category(one) for one in self.wanted], pa.string())
        known, _ = _texts(cells.all, cells.separator)
        _check_values(self.column, self.wanted, wanted, known)
        texts, rows = _texts(cells.here, cells.separator)
        found = pc.is_in(texts, value_set=wanted).to_numpy(zero_copy_only=False)
        holds, filled = (np.zeros(len(cells.here), bool) for _ in range(2))
        holds[rows[found]] = filled[rows] = True
        return pa.array(holds, mask=~filled)


@dataclass(frozen=True)
class Ordered:
    """The cell is less or greater than a number or a time.

    Args:
        column: The name of the column.
        sign: One of `ORDERS`.
        bound: The number or the time, as text.
    """

    column: str
    sign: str
    bound: str

    def holds(self, look: Look) -> pa.Array:
        """Returns which candidates have such a cell; see `Condition`."""
        cells = look(self.column)
        for read in (values.numbers, values.moments) if cells.separator is None else ():
            bound, no_bound = read(pa.array([self.bound]))
            found, wrong = read(cells.here)
            if not (no_bound.any() or wrong.any()):
                return ORDERS[self.sign](found, bound[0])
        raise DataError(
            f"`{self.column} {self.sign} {self.bound}` cannot be compared: both sides must be "
            f"numbers, or both must be times. With text, only = and != and in are possible."
        )


@dataclass(frozen=True)
class Missing:
    """The cell is empty.

    Args:
        column: The name of the column.
    """

    column: str

    def holds(self, look: Look) -> pa.Array:
        """Returns which candidates have an empty cell; see `Condition`."""
        cells = look(self.column)
        filled = np.zeros(len(cells.here), bool)
        filled[_texts(cells.here, cells.separator)[1]] = True
        return pa.array(~filled)


@dataclass(frozen=True)
class Not:
    """A condition is not fulfilled.

    Args:
        inner: The condition.
    """

    inner: Condition

    def holds(self, look: Look) -> pa.Array:
        """Returns which candidates do not fulfil it; see `Condition`."""
        return pc.invert(self.inner.holds(look))


@dataclass(frozen=True)
class Joined:
    """All of several conditions are fulfilled, or one of them is.

    Args:
        every: Whether all must be fulfilled.
        parts: The conditions.
    """

    every: bool
    parts: tuple[Condition, ...]

    def holds(self, look: Look) -> pa.Array:
        """Returns which candidates fulfil them; see `Condition`."""
        first, *others = (part.holds(look) for part in self.parts)
        for other in others:
            first = (pc.and_kleene if self.every else pc.or_kleene)(first, other)
        return first


def _texts(column: pa.Array, separator: str | None) -> tuple[pa.Array, np.ndarray]:
    """Returns the values of all cells as canonical text, and the row of each: int64."""
    if separator is not None:
        return values.split_cells(values.join_cells(column, separator), separator)
    texts = values.categories(column)
    filled = texts.is_valid()
    return texts.filter(filled), np.flatnonzero(filled.to_numpy(zero_copy_only=False))


def _check_values(column: str, asked: tuple[str, ...], wanted: pa.Array, known: pa.Array) -> None:
    """Checks that some item has each value: a mistyped one would leave no or all items."""
    there = pc.is_in(wanted, value_set=known).to_pylist()
    if all(there):
        return
    lost = asked[there.index(False)]
    names = known.unique()
    near = difflib.get_close_matches(lost, names.to_pylist(), n=3) if len(names) < 10_000 else []
    hint = ""
    if len(names) <= MOST_NAMED:
        hint = f" The values are: {listed(names.to_pylist())}."
    elif near:
        hint = f" Similar values are: {listed(near)}."
    raise DataError(f"No item has the value {lost!r} in the column {column}.{hint}")
