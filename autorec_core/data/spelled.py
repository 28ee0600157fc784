"""Reads values as a data set's file spells them: missing values, labels, formatted numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import values


def without_missing(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    """Replaces the words for "missing" in a column by null.

    Args:
        column: Text or numbers; other columns stay as they are.
        missing: The words. A word that is a number, such as -999, also counts in a numeric column.
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


def plain_without_missing(column: Any, missing: Sequence[str]) -> Any:
    """Does the same as `without_missing` for a list of texts or an array of float64 numbers."""
    if not missing:
        return column
    if isinstance(column, list):
        return [None if text in missing else text for text in column]
    return np.where(np.isin(column, missing_numbers(missing)), np.nan, column)


def missing_numbers(missing: Sequence[str]) -> list[float]:
    """Returns the words for "missing" that are numbers."""
    return [float(word) for word in missing if re.match(values.NUMBER, word)]


def label_numbers(
    column: pa.Array, positive: Sequence[str], negative: Sequence[str]
) -> tuple[pa.Array, np.ndarray]:
    """Converts labels that are words to numbers: 1 for positive words, 0 for negative words.

    Args:
        column: The labels as they are in the file.
        positive: The words that become 1.
        negative: The words that become 0; if empty, all other words.

    Returns:
        float64 numbers, null for missing and wrong words, and which words are wrong, bool, shape
        (rows,).
    """
    text = values.categories(column)
    is_positive = _among(text, positive)
    known = pc.or_(is_positive, _among(text, negative)) if negative else pc.is_valid(text)
    wrong = pc.and_(pc.is_valid(text), pc.invert(known)).to_numpy(zero_copy_only=False)
    return pc.if_else(known, pc.cast(is_positive, pa.float64()), None), wrong


def _among(text: pa.Array, words: Sequence[str]) -> pa.Array:
    # The words become canonical too, so that "true" equals the boolean true of a Parquet file.
    return pc.is_in(text, value_set=values.categories(pa.array(words, pa.string())))


_CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|KRW|SEK|NOK|DKK|PLN|CZK|AUD|CAD|NZD|BRL|RUB|TRY|ZAR"
_SIGN = rf"(?:[$€£¥₹₩₽%]|R\$|kr\.?|zł|{_CODES})?"
_SPACES = " \u00a0\u202f"
_FRONT, _BACK = rf"^[+-]?{_SIGN}[{_SPACES}]?[+-]?", rf"[{_SPACES}]?{_SIGN}$"
_POINTED = rf"(?:\d{{1,3}}(?:[,'{_SPACES}]\d{{3}})+|\d+)(?:\.\d+)?"
_WITH_COMMA = rf"(?:\d{{1,3}}(?:[.'{_SPACES}]\d{{3}})+|\d+)(?:,\d+)?"
WRITTEN = {".": _FRONT + _POINTED + _BACK, ",": _FRONT + _WITH_COMMA + _BACK}
"""The patterns of formatted numbers, by their decimal sign."""


def plain_numbers(column: pa.Array, decimal: str | None) -> pa.Array:
    """Converts texts of formatted numbers to texts of plain numbers.

    Args:
        column: The column; if it is not text, it stays as it is.
        decimal: The decimal sign. Thousands separators, currency and percent signs are allowed.
            None if numbers are plain already.

    Returns:
        Texts of plain numbers. A text that is not such a number gets a note, so that it fails when
        numbers are read.
    """
    if decimal is None or not pa.types.is_string(column.type):
        return column
    is_number = pc.match_substring_regex(column, WRITTEN[decimal])
    digits = pc.replace_substring_regex(column, rf"[^0-9{decimal}+-]", "")
    digits = pc.replace_substring(digits, decimal, ".")
    # With a decimal comma, "1.5" is wrong, but would be read as a plain number without the note.
    marked = pc.binary_join_element_wise(column, f" (decimal: '{decimal}')", "")
    return pc.if_else(is_number, digits, pc.if_else(pc.equal(column, ""), None, marked))
