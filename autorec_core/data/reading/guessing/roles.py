"""Guesses the role of each column of a table from its name, its type and its values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import spelled, values
from autorec_core.data.kinds import is_list_of_scalars, is_scalar
from autorec_core.data.reading.guessing.label import numbers_of
from autorec_core.data.reading.guessing.spelling import Decimal
from autorec_core.errors import DataError

INSIDE = ("|", ";", ",", " ")
INSIDE_LISTS = ("|", ";", ",", " ", "\x1f")
MOST_CATEGORIES = 20
LONGEST_LIST = 20
UNIQUE_SHARE = 0.9
COUNTED_SHARE = 0.9
"""The share of steps between rows that must be one for a column to be a row number."""
FEW_ROWS = 50
LARGEST_NUMBER = 2.0**53
"""Greater whole numbers are not exact as floats, so they must be ids."""
YEARS = (5e8, 4e9)
"""Seconds since 1970 from 1985 to 2096."""

_USER = r"(user|customer|client|member|visitor|reader|buyer|person|account)s?_?(id|no|key)?|uid"
_ITEM = (
    r"(item|movie|product|article|song|track|book|sku|video|show|game|recipe|business|ad)s?"
    r"_?(id|no|key)?|iid|asin"
)
_TIME = r".*(time|date|created|when).*|ts"
_CODE = r".*(id|code|type|kind|category|class|zip|key|no)"
_INDEX = r"__index_level_\d+__|unnamed:[ _]?\d+|level_\d+|"
_ROW = r"index|idx|row|(row|line|record)_?(id|no|num|number|index)|id|serial|nr|no|#"


@dataclass(frozen=True)
class Table:
    """The first rows of a table.

    Args:
        columns: The columns, without the words that mean "missing".
        label: The column to predict.
        has_names: Whether the file names its columns; otherwise they are numbered.
        declared: Columns that the file itself declares to be categories.
        decimal: The decimal sign of formatted numbers; None if numbers are plain.
    """

    columns: Mapping[str, pa.Array]
    label: str
    has_names: bool
    declared: frozenset[str]
    decimal: Decimal | None


class Roles:
    """The roles of columns, and the reasons for them."""

    def __init__(self) -> None:
        self.columns: dict[str, str] = {}
        self.lists: dict[str, dict[str, Any]] = {}
        self.named: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def give(self, name: str, role: str, why: str) -> None:
        """Gives a column a role and a reason."""
        self.columns[name] = role
        self.notes[name] = why

    def of(self, role: str) -> list[str]:
        """Returns the columns with a role."""
        return [name for name, given in self.columns.items() if given == role]


def simple(name: str) -> str:
    """Returns a column's name in small letters with "_" between words: "User ID" is user_id."""
    return re.sub(r"(?<=\w)[\s.-]+(?=\w)", "_", name.strip().lower())


def give_roles(table: Table, roles: Roles) -> None:
    """Guesses the role of each column that has none yet."""
    left = [name for name in table.columns if name != table.label and name not in roles.columns]
    time = None if "time" in roles.named else _time(table, left)
    if time is not None:
        name, why = time
        roles.named["time"] = name
        roles.give(name, "ignored", f"{why}; only for `split.strategy: by_time`")
        left.remove(name)
    for name in left:
        _one_role(roles, name, table)
    roles.columns = {name: roles.columns[name] for name in table.columns if name in roles.columns}


def _time(table: Table, names: list[str]) -> tuple[str, str] | None:
    """Finds the time column, and the reason for it."""
    for name in names:
        if re.fullmatch(_TIME, simple(name)) and is_time(table.columns[name]):
            return name, "the time"
    for name in names:
        column = table.columns[name]
        if (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)) and (
            is_time(column) and len(column.unique()) > 1
        ):
            return name, "the time, by its type"
    for name in () if table.has_names else names:
        if (found := numbers_in(table, name)) is not None and _may_be_seconds(found):
            return name, "the time, by its values, which may be seconds since 1970"
    return None


def _may_be_seconds(found: np.ndarray) -> bool:
    if len(np.unique(found)) <= MOST_CATEGORIES:
        return False
    return bool(YEARS[0] <= found.min() and found.max() <= YEARS[1])


def is_time(column: pa.Array) -> bool:
    """Returns whether every row has a time."""
    if not is_scalar(column.type) or pa.types.is_boolean(column.type):
        return False
    try:
        found, wrong = values.moments(column)
    except (DataError, pa.ArrowException):
        return False
    return bool(len(found)) and not wrong.any() and not found.null_count


def numbers_in(table: Table, name: str) -> np.ndarray | None:
    """Returns a column's numbers without missing values; None if a value is not a number."""
    column = table.columns[name]
    if not is_scalar(column.type):
        return None
    try:
        found, wrong = values.numbers(spelled.plain_numbers(column, table.decimal))
    except (DataError, pa.ArrowException):
        return None
    return None if wrong.any() else found.drop_null().to_numpy(zero_copy_only=False)


def list_of(column: pa.Array) -> dict[str, Any] | None:
    """Returns separator and length of a multi-valued column; None if it is not multi-valued.

    For a column of lists, the separator is one that does not occur in the lists.
    """
    if is_list_of_scalars(column.type):
        inner = values.categories(values.plain(column.flatten())).drop_null()
        free = (one for one in INSIDE_LISTS if not pc.any(pc.match_substring(inner, one)).as_py())
        separator = next(free, None)
    else:
        separator = _inner_separator(column)
    if separator is None:
        return None
    found, cells = values.split_cells(values.join_cells(column, separator), separator)
    longest = int(np.bincount(cells).max()) if len(found) else 1
    return {"separator": separator, "max_length": min(longest, LONGEST_LIST)}


def _one_role(roles: Roles, name: str, table: Table) -> None:
    column, lower = table.columns[name], simple(name)
    if column.null_count == len(column) or (
        is_scalar(column.type) and not len(values.categories(column).drop_null())
    ):
        roles.give(name, "ignored", "empty in every row")
        return
    if re.fullmatch(_INDEX, lower):
        roles.give(name, "ignored", "row numbers that were saved with the table")
        return
    if is_list_of_scalars(column.type):
        _list_role(roles, name, column)
        return
    if not is_scalar(column.type):
        roles.give(name, "ignored", f"its type, {_shown(column.type)}, is not read")
        return
    for role, pattern in (("user", _USER), ("item", _ITEM)):
        if role not in roles.named and re.fullmatch(pattern, lower):
            roles.named[role] = name
            roles.give(name, "categorical", f"the {role}, by its name")
            return
    if name not in table.declared and numbers_in(table, name) is None:
        if numbers_of(column) is not None:
            why = "formatted numbers with another decimal sign than other columns; not read"
            roles.give(name, "ignored", why)
            return
        if not is_time(column.drop_null()) and (described := list_of(column)) is not None:
            shown = described["separator"]
            roles.lists[name] = described
            roles.give(
                name, "multi_valued", f"several categories in a cell, separated by {shown!r}"
            )
            return
    _plain_role(roles, name, table)


def _plain_role(roles: Roles, name: str, table: Table) -> None:
    """Guesses the role of a column with one value in each cell."""
    column, lower = table.columns[name], simple(name)
    known = values.categories(column).drop_null()
    distinct = len(known.unique())
    is_unique = len(known) >= FEW_ROWS and distinct > UNIQUE_SHARE * len(known)
    found = numbers_in(table, name)
    if distinct < 2:
        roles.give(name, "ignored", "the same value in every row")
    elif name in table.declared and not is_unique:
        roles.give(name, "categorical", f"{distinct:,} categories, as the file says")
    elif (
        found is not None
        and not pa.types.is_temporal(column.type)
        and is_row_number(found, len(column), lower)
    ):
        roles.give(name, "ignored", "whole numbers that count the rows, like row numbers")
    elif found is not None and _is_measured(column, known, found, lower, distinct):
        why = f"numbers, {distinct:,} of them different"
        if not table.has_names and not (found % 1).any():
            why += f"; if they are ids, use --categorical {name}"
        roles.give(name, "numeric", why)
    elif is_unique:
        roles.give(name, "ignored", "almost every row has a different value")
    elif pa.types.is_temporal(column.type) and distinct > MOST_CATEGORIES:
        roles.give(name, "ignored", "a second date or time")
    else:
        roles.give(name, "categorical", f"{distinct:,} categories")


def _list_role(roles: Roles, name: str, column: pa.Array) -> None:
    inner = values.plain(column.flatten()).drop_null()
    try:
        described = list_of(column)
        several = len(values.categories(inner).unique()) > 1
    except (DataError, pa.ArrowException):
        described, several = None, True
    is_measured = pa.types.is_floating(inner.type) or pa.types.is_decimal(inner.type)
    if described is None or (is_measured and _has_fractions(inner)):
        why = f"its type, {_shown(column.type)}, is not read; lists of categories are"
        roles.give(name, "ignored", why)
    elif not several:
        roles.give(name, "ignored", "empty lists, or the same category in every one")
    else:
        roles.lists[name] = described
        roles.give(name, "multi_valued", "a list of categories in each cell")


def _has_fractions(inner: pa.Array) -> bool:
    return bool((np.asarray(pc.cast(inner, pa.float64())) % 1).any())


def is_row_number(found: np.ndarray, rows: int, name: str) -> bool:
    """Returns whether whole numbers are row numbers: all different, or each one more."""
    if len(found) < rows or len(found) < 2 or (found % 1).any():
        return False
    is_unique = len(np.unique(found)) == len(found)
    counts_up = bool((np.diff(found) == 1).mean() >= COUNTED_SHARE)
    is_named_so = re.fullmatch(_ROW, name) is not None
    if len(found) < FEW_ROWS:
        return is_unique and (counts_up or is_named_so)
    return is_unique or counts_up


def _is_measured(
    column: pa.Array, known: pa.Array, found: np.ndarray, name: str, distinct: int
) -> bool:
    """Returns whether numbers count or measure something, and are not ids."""
    kind = column.type
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        return True
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        return False
    if pc.any(pc.match_substring_regex(known, r"^0\d")).as_py():
        return False
    if (found % 1).any():
        return True
    if np.abs(found).max() > LARGEST_NUMBER:
        return False
    return distinct > MOST_CATEGORIES and not re.fullmatch(_CODE, name)


def _inner_separator(column: pa.Array) -> str | None:
    """Guesses the separator of a multi-valued column of text; None if there is none."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    known = values.categories(column).drop_null()
    for separator in INSIDE:
        holding = pc.sum(pc.match_substring(known, separator)).as_py() or 0
        if holding < 0.2 * len(known):
            continue
        found, _ = values.split_cells(known, separator)
        # Titles have spaces too, but the categories of lists occur in many rows.
        if len(found.unique()) <= min(0.5 * len(known.unique()), 0.1 * len(found)):
            return separator
    return None


def _shown(kind: pa.DataType) -> str:
    text = str(kind)
    return text if len(text) <= 40 else f"{text[:37]}..."
