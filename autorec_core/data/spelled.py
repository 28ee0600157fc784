"""How values are spelled in a data set's file: what means "missing", labels, written numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import values


def without_missing(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    """A column with null where one of the words for "missing" stands.

    Args:
        column: Text, numbers, or anything else, which stays as it is.
        missing: The words. One that is a number, such as -999, also holds in a column of numbers.
    """
    if not missing:
        return column
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        is_missing = pc.is_in(pc.utf8_trim_whitespace(column), value_set=pa.array(missing, kind))
        return pc.if_else(is_missing, None, column) if pc.any(is_missing).as_py() else column
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if is_number and (numbers := missing_numbers(missing)):
        as_float = pc.cast(column, pa.float64(), safe=False)
        is_missing = pc.is_in(as_float, value_set=pa.array(numbers, pa.float64()))
        return pc.if_else(is_missing, None, column)
    return column


def few_without_missing(column: Any, missing: Sequence[str]) -> Any:
    """As `without_missing`, for what `few` makes of a few rows: texts or float64 numbers."""
    if not missing:
        return column
    if isinstance(column, list):
        return [None if text in missing else text for text in column]
    return np.where(np.isin(column, missing_numbers(missing)), np.nan, column)


def missing_numbers(missing: Sequence[str]) -> list[float]:
    """Those words for "missing" that are numbers."""
    return [float(word) for word in missing if re.match(values.NUMBER, word)]


def label_numbers(
    column: pa.Array, positive: Sequence[str], negative: Sequence[str]
) -> tuple[pa.Array, np.ndarray]:
    """A label of words as numbers: 1 for a positive one, 0 for a negative one.

    Args:
        column: The label as it stands in the file.
        positive: The words that become 1.
        negative: The words that become 0; if there are none, all others do.

    Returns:
        float64 numbers, null where nothing stands or a wrong word does, and a bool array, shape
        (rows,), that says where a wrong word does.
    """
    text = values.categories(column)
    is_positive = _among(text, positive)
    known = pc.or_(is_positive, _among(text, negative)) if negative else pc.is_valid(text)
    wrong = pc.and_(pc.is_valid(text), pc.invert(known)).to_numpy(zero_copy_only=False)
    return pc.if_else(known, pc.cast(is_positive, pa.float64()), None), wrong


def _among(text: pa.Array, words: Sequence[str]) -> pa.Array:
    # By the same rule as the column's own values, so that "true" and a Parquet file's true agree.
    return pc.is_in(text, value_set=values.categories(pa.array(words, pa.string())))


_CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|KRW|SEK|NOK|DKK|PLN|CZK|AUD|CAD|NZD|BRL|RUB|TRY|ZAR"
_SIGN = rf"(?:[$€£¥₹₩₽%]|R\$|kr\.?|zł|{_CODES})?"
_SPACES = " \u00a0\u202f"
_FRONT, _BACK = rf"^[+-]?{_SIGN}[{_SPACES}]?[+-]?", rf"[{_SPACES}]?{_SIGN}$"
_POINTED = rf"(?:\d{{1,3}}(?:[,'{_SPACES}]\d{{3}})+|\d+)(?:\.\d+)?"
_WITH_COMMA = rf"(?:\d{{1,3}}(?:[.'{_SPACES}]\d{{3}})+|\d+)(?:,\d+)?"
WRITTEN = {".": _FRONT + _POINTED + _BACK, ",": _FRONT + _WITH_COMMA + _BACK}
"""How a number may be written, by its decimal sign."""


def plain_numbers(column: pa.Array, decimal: str | None) -> pa.Array:
    """Text that holds numbers as people write them, as text that holds plain numbers.

    Args:
        column: The column; where it is no text it stays as it is.
        decimal: The decimal sign; then thousands separators and currency or percent signs are
            allowed. None: numbers are plain already.

    Returns:
        Plain numbers; what is no number of this kind says so, and will be found wrong.
    """
    if decimal is None or not pa.types.is_string(column.type):
        return column
    is_number = pc.match_substring_regex(column, WRITTEN[decimal])
    digits = pc.replace_substring_regex(column, rf"[^0-9{decimal}+-]", "")
    digits = pc.replace_substring(digits, decimal, ".")
    # "1.5" under a decimal comma would pass as a plain number; it is wrong, and is to look so.
    marked = pc.binary_join_element_wise(column, f" (decimal: '{decimal}')", "")
    return pc.if_else(is_number, digits, pc.if_else(pc.equal(column, ""), None, marked))
