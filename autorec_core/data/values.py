"""Converts columns of files and frames to numbers and categories, and says which rows are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import times
from autorec_core.data.canonical import categories, category, coded
from autorec_core.data.kinds import common_kind
from autorec_core.errors import DataError

__all__ = [
    "LONGEST_CATEGORY",
    "NUMBER",
    "categories",
    "coded",
    "join_cells",
    "moments",
    "numbers",
    "of_series",
    "outside",
    "plain",
    "split_cells",
    "too_long",
]
LONGEST_CATEGORY = 10_000
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Returns a column as one array without a dictionary, in a common type."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # no chunk at all
            column = pa.array([], column.type)
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return common_kind(column)


def of_series(column: pd.Series) -> pa.Array:
    """Converts a frame's column to Arrow; mixed types become canonical text."""
    # Arrow would convert booleans between numbers to 0 and 1.
    kinds = set(map(type, column.tolist())) if column.dtype == object else set()
    if not (bool in kinds and kinds & {int, float}):
        with suppress(pa.ArrowException, OverflowError, TypeError):
            return plain(pa.array(column, from_pandas=True))
    return pa.array([category(value) for value in column.tolist()], pa.string())


def join_cells(column: pa.Array, separator: str) -> pa.Array:
    """Returns multi-valued cells as text; lists are joined with `separator`.

    Text cells stay as they are; `split_cells` makes their categories canonical.
    """
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = column.offsets.cast(pa.int32())
        start, stop = offsets[0].as_py(), offsets[-1].as_py()
        inner = pc.fill_null(categories(plain(column.values.slice(start, stop - start))), "")
        lists = pa.ListArray.from_arrays(
            pc.subtract(offsets, offsets[0]), inner, mask=column.is_null()
        )
        column = pc.binary_join(lists, separator)
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return categories(column)
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(pc.ascii_trim_whitespace(text), ""), None, text)


def split_cells(column: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """Splits multi-valued cells into categories.

    Args:
        column: Cells as `join_cells` returns them.
        separator: The text between two categories; empty categories are left out.

    Returns:
        The categories of all cells, and the row of each: int64, in order, shape (categories,).
    """
    lists = pc.split_pattern(column, separator)
    found, cells = categories(lists.flatten()), pc.list_parent_indices(lists)
    filled = found.is_valid()
    return found.filter(filled), cells.filter(filled).to_numpy(zero_copy_only=False)


def numbers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Reads a column's finite numbers.

    Args:
        column: Text or numbers; null and empty text are missing. Booleans become 1 and 0, Arrow
            dates and times seconds since 1970, durations seconds.

    Returns:
        float64 numbers, null if missing or wrong, and which values are not finite numbers, bool,
        shape (rows,).

    Raises:
        DataError: The column's type cannot hold numbers.
    """
    if pa.types.is_float64(column.type) and pc.all(pc.is_finite(column)).as_py() is not False:
        return column, np.zeros(len(column), dtype=bool)
    column = _simple(column)
    try:
        found = pc.cast(column, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        text = pc.cast(column, pa.string())
        found = pc.cast(pc.if_else(_are_numbers(text), text, None), pa.float64())
    if pa.types.is_floating(column.type):  # NaN means missing in frames and Parquet files
        column = found = pc.if_else(pc.is_nan(found), None, found)
    finite = pc.fill_null(pc.is_finite(found), False)
    wrong = pc.and_(pc.is_valid(column), pc.invert(finite)).to_numpy(zero_copy_only=False)
    return pc.if_else(finite, found, None), wrong


def moments(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Reads a column's times in seconds since 1970, in all forms of the module `times`.

    Args:
        column: Text, numbers, dates or times; null and empty text are missing.

    Returns:
        float64 seconds, null if missing or wrong, and which values are not times, bool, shape
        (rows,).
    """
    if pa.types.is_temporal(column.type):
        return numbers(column)
    column = _simple(column)
    if not pa.types.is_string(column.type):
        return _from_numbers(column)
    is_number = _are_numbers(column)
    found, no_number = _from_numbers(pc.if_else(is_number, column, None))
    if pc.all(pc.or_kleene(is_number, column.is_null())).as_py():
        return found, no_number
    seconds, no_date = times.of_texts(pc.if_else(is_number, None, column))
    together = pc.coalesce(found, pa.array(seconds, from_pandas=True))
    return together, no_number | no_date


def _from_numbers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    found, wrong = numbers(column)
    seconds, no_time = times.of_numbers(found.to_numpy(zero_copy_only=False).astype(np.float64))
    wrong = wrong | no_time
    return pa.array(np.where(wrong, np.nan, seconds), from_pandas=True), wrong


def _are_numbers(text: pa.Array) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(text, NUMBER), False)


def _simple(column: pa.Array) -> pa.Array:
    """Returns a column as strings, null if empty, or as numbers."""
    kind, types = column.type, pa.types
    if types.is_interval(kind) or types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType):
        raise DataError(f"A column of type {kind} cannot hold numbers.")
    if types.is_temporal(kind):
        return times.of_typed(column)
    if types.is_boolean(kind):
        return column.cast(pa.float64())
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return column
    try:
        column = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"A column of type {kind} cannot hold numbers.") from error
    return pc.if_else(pc.equal(column, ""), None, column)


def too_long(column: pa.Array) -> np.ndarray:
    """Returns which categories are longer than `LONGEST_CATEGORY`, bool, shape (rows,)."""
    is_coded = pa.types.is_dictionary(column.type)
    each = column.dictionary if is_coded else column
    if (pc.max(pc.binary_length(each)).as_py() or 0) <= LONGEST_CATEGORY:
        return np.zeros(len(column), dtype=bool)
    length = pc.utf8_length(column.dictionary_decode() if is_coded else column)
    is_long = pc.greater(pc.fill_null(length, 0), LONGEST_CATEGORY)
    return np.asarray(is_long.to_numpy(zero_copy_only=False))


def too_large(column: pa.Array) -> np.ndarray:
    """Returns which numbers a model cannot hold as float32, bool, shape (rows,)."""
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.abs(column.to_numpy(zero_copy_only=False)) > np.finfo(np.float32).max
    return found


def outside(column: pa.Array, allowed: Sequence[float]) -> np.ndarray:
    """Returns which numbers are not among those allowed, bool, shape (rows,)."""
    return ~np.isin(column.to_numpy(zero_copy_only=False), np.asarray(allowed, dtype=np.float64))
