"""Reads the numbers and times of a column, with errors that name the column and the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from autorec_core.data import times, values
from autorec_core.errors import DataError


def numbers_of(name: str, column: Any) -> np.ndarray:
    """Reads a column's numbers: float64, NaN if missing, shape (rows,).

    Raises:
        DataError: A value is not a finite number.
    """
    if isinstance(column, np.ndarray):
        return column
    if pa.types.is_float64(column.type) and not column.null_count:
        found = np.asarray(column.to_numpy(zero_copy_only=False))
        if np.isfinite(found).all():
            return found
    numbers, wrong = named(name, values.numbers, column)
    return _checked(name, column, numbers, wrong, "a finite number is expected")


def moments_of(name: str, column: Any) -> np.ndarray:
    """Reads a time column's seconds since 1970: float64, NaN if missing, shape (rows,).

    Raises:
        DataError: A value is not a time.
    """
    column = pa.array(column, from_pandas=True) if isinstance(column, np.ndarray) else column
    seconds, wrong = named(name, values.moments, column)
    return _checked(name, column, seconds, wrong, times.EXPECTED)


def _checked(
    name: str, column: pa.Array, numbers: pa.Array, wrong: np.ndarray, expected: str
) -> np.ndarray:
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(f"Row {at + 1}: {name} is {column[at].as_py()!r}; {expected}.")
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)


def named(name: str, read: Callable[[pa.Array], Any], column: pa.Array) -> Any:
    """Calls `read` with a column and adds the column's name to errors."""
    try:
        return read(column)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
