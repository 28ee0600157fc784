"""A few rows at a time, by the rules of `values` but without Arrow's cost a call.

One row with forty columns would otherwise take forty times several hundred microseconds. What is
not plain here is left to `values`, so that there is one rule for everything unusual.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

FEW = 64
LARGEST_WHOLE = 2.0**63


def plain_categories(found: Iterable[Any]) -> list[str | None] | None:
    """Categories as text, as `values.categories` has them; None where one is not plain."""
    texts: list[str | None] = []
    for value in found:
        kind = type(value)
        if kind is str:
            texts.append(value or None)
        elif kind is int:
            texts.append(str(value))
        elif value is None or (kind is float and math.isnan(value)):
            texts.append(None)
        elif kind is float and value.is_integer() and abs(value) < LARGEST_WHOLE:
            texts.append(str(int(value)))
        else:
            return None
    return texts


def text(value: Any) -> str | None:
    """One category as text, whatever it is, for columns of mixed types."""
    if (plain := plain_categories([value])) is not None:
        return plain[0]
    if value is pd.NA or value is pd.NaT:
        return None
    scalar = pa.scalar(value if isinstance(value, bool | float) else str(value), from_pandas=True)
    return scalar.cast(pa.string()).as_py()


def plain_numbers(found: Iterable[Any]) -> np.ndarray | None:
    """Finite float64 numbers, NaN where missing; None where one is not plain."""
    numbers = []
    for value in found:
        kind = type(value)
        if value is None:
            numbers.append(math.nan)
        elif kind is int or (kind is float and not math.isinf(value)):
            numbers.append(value)
        else:
            return None
    return np.array(numbers, dtype=np.float64)
