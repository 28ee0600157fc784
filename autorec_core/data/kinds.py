"""Arrow's rarer kinds of columns, as the common kinds that hold the same values."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def common_kind(column: pa.Array) -> pa.Array:
    """A column as text, numbers, dates, or a plain list of them, where it can be one of these.

    Small floats become larger ones, text in bytes becomes text, and lists of a fixed length become
    lists. What cannot be one of these, such as a struct, stays as it is.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if pa.types.is_float16(kind):
        return pc.cast(column, pa.float32())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or _is_bytes(kind):
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowException:  # bytes that are no text
            return column
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list_view(kind):
        return pc.cast(column, pa.list_(kind.value_type))
    if pa.types.is_large_list_view(kind):
        return pc.cast(column, pa.large_list(kind.value_type))
    return column


def is_scalar(kind: pa.DataType) -> bool:
    """Whether a cell of this kind is one category, number or time, and no bytes."""
    return not (pa.types.is_nested(kind) or _is_bytes(kind) or pa.types.is_interval(kind))


def is_list_of_scalars(kind: pa.DataType) -> bool:
    """Whether a cell of this kind is a list of categories or numbers."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return is_list and is_scalar(kind.value_type)


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )
