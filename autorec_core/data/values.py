"""From what stands in a file or a frame to numbers and categories, and which rows are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data.kinds import common_kind, seconds

LONGEST_CATEGORY = 10_000
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column in one piece, its dictionary, where it has one, resolved."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # no chunk at all
            column = pa.array([], column.type)
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return common_kind(column)


def categories(column: pa.Array) -> pa.Array:
    """Categories as text; what is null or empty is null, and whole numbers have no fraction.

    So 196, 196.0 and "196" are the same category, whichever type a file or a frame gives it.
    """
    kind = column.type
    if pa.types.is_floating(kind):
        whole = pc.and_(pc.is_finite(column), pc.equal(pc.floor(column), column))
        small = pc.and_(whole, pc.less(pc.abs(column), 2.0**63))
        as_whole = pc.cast(pc.if_else(small, column, 0.0), pa.int64())
        column = pc.if_else(small, pc.cast(as_whole, pa.string()), pc.cast(column, pa.string()))
        column = pc.if_else(pc.equal(column, "nan"), None, column)
    elif not pa.types.is_string(kind):
        column = pc.cast(column, pa.string())
    filled = pc.not_equal(column, "")
    if column.null_count or column.offset:
        return pc.if_else(filled, column, None)
    # The same text under another mask, not a copy of it.
    _, *text = column.buffers()
    return pa.Array.from_buffers(column.type, len(column), [filled.buffers()[1], *text])


def coded(column: pa.Array) -> pa.DictionaryArray:
    """Categories as `categories` has them, each in a dictionary once; null where empty."""
    if not pa.types.is_string(column.type):
        return categories(column).dictionary_encode()
    found = column.dictionary_encode()
    blank = pc.index(found.dictionary, pa.scalar("", found.dictionary.type)).as_py()
    if blank < 0:
        return found
    codes = pc.if_else(pc.equal(found.indices, blank), None, found.indices)
    return pa.DictionaryArray.from_arrays(codes, found.dictionary)


def joined(column: pa.Array, separator: str) -> pa.Array:
    """Cells of several categories as text; a column of real lists is joined by `separator`."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = column.offsets.cast(pa.int32())
        start, stop = offsets[0].as_py(), offsets[-1].as_py()
        inner = pc.fill_null(categories(plain(column.values.slice(start, stop - start))), "")
        lists = pa.ListArray.from_arrays(
            pc.subtract(offsets, offsets[0]), inner, mask=column.is_null()
        )
        column = pc.binary_join(lists, separator)
    return categories(column)


def several(column: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """The categories in cells of several.

    Args:
        column: Cells as `joined` gives them.
        separator: What stands between two categories; nothing between two is no category.

    Returns:
        The categories of all cells, and the cell of each: int64, in order, shape (categories,).
    """
    lists = pc.split_pattern(column, separator)
    found, cells = lists.flatten(), pc.list_parent_indices(lists)
    filled = pc.not_equal(found, "")
    return found.filter(filled), cells.filter(filled).to_numpy(zero_copy_only=False)


def numbers(column: pa.Array, *, dates: bool = False) -> tuple[pa.Array, np.ndarray]:
    """A column's finite numbers.

    Args:
        column: Text or numbers; null and empty text are missing.
        dates: Whether text may be ISO dates or times too; they become seconds since 1970.

    Returns:
        float64 numbers with nulls for what is missing or wrong, and a bool array, shape (rows,),
        that says which values are no finite number.
    """
    if pa.types.is_float64(column.type) and pc.all(pc.is_finite(column)).as_py() is not False:
        return column, np.zeros(len(column), dtype=bool)
    if pa.types.is_duration(column.type) or pa.types.is_time(column.type):
        column = seconds(column)
    if pa.types.is_temporal(column.type):
        column = pc.divide(pc.cast(pc.cast(column, pa.timestamp("ms")), pa.int64()), 1000)
    if pa.types.is_large_string(column.type):
        column = pc.cast(column, pa.string())
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), None, column)
        if dates and len(column) and (first := column.drop_null()) and "-" in str(first[0])[1:]:
            return _moments(column)
    try:
        found = pc.cast(column, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        text = pc.cast(column, pa.string())
        looks = pc.fill_null(pc.match_substring_regex(text, NUMBER), False)
        found = pc.cast(pc.if_else(looks, text, None), pa.float64())
    if pa.types.is_floating(column.type):  # NaN is how frames and Parquet files say missing
        column = found = pc.if_else(pc.is_nan(found), None, found)
    finite = pc.fill_null(pc.is_finite(found), False)
    wrong = pc.and_(pc.is_valid(column), pc.invert(finite)).to_numpy(zero_copy_only=False)
    return pc.if_else(finite, found, None), wrong


def too_long(column: pa.Array) -> np.ndarray:
    """Which categories are longer than any identifier, shape (rows,)."""
    is_coded = pa.types.is_dictionary(column.type)
    each = column.dictionary if is_coded else column
    if (pc.max(pc.binary_length(each)).as_py() or 0) <= LONGEST_CATEGORY:
        return np.zeros(len(column), dtype=bool)
    length = pc.utf8_length(column.dictionary_decode() if is_coded else column)
    return pc.greater(pc.fill_null(length, 0), LONGEST_CATEGORY).to_numpy(zero_copy_only=False)


def outside(column: pa.Array, allowed: Sequence[float]) -> np.ndarray:
    """Which numbers are not among those allowed, shape (rows,)."""
    return ~np.isin(column.to_numpy(zero_copy_only=False), np.asarray(allowed, dtype=np.float64))


def _moments(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Seconds since 1970 of ISO dates, with a time of day or without."""
    day = pc.utf8_slice_codeunits(column, 0, 10)
    clock = pc.utf8_slice_codeunits(column, 11, 19)
    midnight = pc.if_else(pc.equal(pc.utf8_length(column), 10), "00:00:00", clock)
    text = pc.binary_join_element_wise(day, midnight, " ")
    found = pc.strptime(text, "%Y-%m-%d %H:%M:%S", "s", error_is_null=True)
    wrong = pc.and_(pc.is_valid(column), pc.is_null(found)).to_numpy(zero_copy_only=False)
    return pc.cast(pc.cast(found, pa.int64()), pa.float64()), wrong
