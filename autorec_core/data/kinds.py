"""Converts rare types of Arrow columns to common types with the same values."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def common_kind(column: pa.Array) -> pa.Array:
    """Converts a column to text, numbers, dates or plain lists of them, if that is possible.

    Small floats become larger floats, bytes that are text become text, and lists of a fixed length
    become lists. Other columns, such as structs, stay as they are.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if pa.types.is_float16(kind):
        return pc.cast(column, pa.float32())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or _is_bytes(kind):
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowException:  # bytes that are not text
            return column
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list_view(kind):
        return pc.cast(column, pa.list_(kind.value_type))
    if pa.types.is_large_list_view(kind):
        return pc.cast(column, pa.large_list(kind.value_type))
    return column


def is_scalar(kind: pa.DataType) -> bool:
    """Returns whether a cell of this type is one category, number or time, and not bytes."""
    return not (pa.types.is_nested(kind) or _is_bytes(kind) or pa.types.is_interval(kind))


def is_moment(kind: pa.DataType) -> bool:
    """Returns whether a cell of this type is a date, a time of day or both."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind))


def is_list_of_scalars(kind: pa.DataType) -> bool:
    """Returns whether a cell of this type is a list of categories or numbers."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return is_list and is_scalar(kind.value_type)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )
