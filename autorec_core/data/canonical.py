"""The canonical text of a category: the same text for all forms of the same value.

115, 115.0, "115.0", " 115" and a decimal 115.00 are one category. The same holds for true, True and
TRUE, for a date and that date at midnight, and for one moment in two time zones. Training, scoring,
serving and the record of learned rows all use this text.

Other texts stay as they are. "007" keeps its zeros. "1e3" is a code and not 1000, unless it has a
signed exponent or a decimal point, as in numbers that programs write (1e+16).
"""

from __future__ import annotations

import math
import numbers
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.errors import DataError

WHITE = " \t\n\v\f\r"
"""The white space that is removed at both ends of a text."""
LARGEST_WHOLE = 2.0**63
"""Whole numbers below this fit into Arrow's largest integers."""
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SECOND = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE = "(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_PLAIN_RULES = (
    ("^(?:True|TRUE)$", "true"),
    ("^(?:False|FALSE)$", "false"),
    (r"^\.([0-9]+)$", r"0.\1"),
    (r"^-\.([0-9]+)$", r"-0.\1"),
    (r"^(-?(?:0|[1-9][0-9]*))\.0*$", r"\1"),
    (r"^(-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])0+$", r"\1"),
    ("^-0$", "0"),
)
_MOMENT_RULES = (
    (rf"^({_DAY})[T ]([0-9]{{2}}:[0-9]{{2}}) ?({_ZONE}?)$", r"\1 \2:00\3"),
    (rf"^({_DAY})[T ]({_SECOND})((?:\.[0-9]+)?) ?({_ZONE}?)$", r"\1 \2\3\4"),
    (rf"^((?:{_DAY} )?{_SECOND})\.0+({_ZONE}?)$", r"\1\2"),
    (rf"^((?:{_DAY} )?{_SECOND}\.[0-9]*[1-9])0+({_ZONE}?)$", r"\1\2"),
    (rf"^({_DAY} {_SECOND}(?:\.[0-9]+)?)[+-]00(?::?00)?$", r"\1Z"),
    (rf"^({_DAY}) 00:00:00$", r"\1"),
)
RULES = (*_PLAIN_RULES, *_MOMENT_RULES)
"""Patterns and their replacements, applied in this order after white space is removed.

They have the same meaning in Python's `re` and in RE2, which Arrow and TensorFlow use.
"""
_EXPONENT = r"^-?[0-9](?:\.[0-9]*[eE][+-]?|[eE][+-])[0-9]+$"
_WITH_ZONE = rf"^{_DAY} {_SECOND}(?:\.[0-9]+)?[+-][0-9:]+$"
_FORM = (
    rf"^(?:True|TRUE|False|FALSE|-0|-?[0-9]*\.[0-9]*|-?[0-9](?:\.[0-9]*)?[eE].*"
    rf"|{_DAY}[T ].*|{_SECOND}\..*)$"
)
"""Matches the texts, without white space at the ends, that may not be canonical yet."""
_CANDIDATE = rf"^[ \t\n\v\f\r]|[ \t\n\v\f\r]$|{_FORM}"
_RULES, _form = [(re.compile(one), by) for one, by in RULES], re.compile(_FORM)
_exponent, _with_zone = re.compile(_EXPONENT), re.compile(_WITH_ZONE)


def text(found: str) -> str:
    """Returns the canonical form of a text; empty if there is only white space."""
    found = found.strip(WHITE)
    if not _form.match(found):
        return found
    for pattern, replacement in _RULES:
        found = pattern.sub(replacement, found)
    return _computed(found)


def category(value: Any) -> str | None:
    """Returns the canonical text of a Python, NumPy or pandas value; None if it is missing."""
    if isinstance(value, str):
        return text(value) or None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, float):
        return None if math.isnan(value) else _of_float(value)
    try:
        found = pa.array([value], from_pandas=True)
    except (pa.ArrowException, OverflowError):
        return text(str(value)) or None
    known: str | None = categories(found)[0].as_py()
    return known


def categories(column: pa.Array) -> pa.Array:
    """Returns the canonical texts of a column: strings, null for missing values.

    Raises:
        DataError: The column's type cannot hold categories.
    """
    return _without_blanks(_canonical(_as_text(column)))


def coded(column: pa.Array) -> pa.DictionaryArray:
    """Does the same as `categories`, but returns a dictionary array with each text once."""
    if not (pa.types.is_dictionary(column.type) or _can_be_coded(column.type)):
        return categories(column).dictionary_encode()
    found = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = found.dictionary
    texts = _canonical(_as_text(words))
    if texts is words:
        blank = pc.index(words, pa.scalar("", words.type)).as_py()
        if blank < 0:
            return found
        codes = pc.if_else(pc.equal(found.indices, blank), None, found.indices)
        return pa.DictionaryArray.from_arrays(codes, words)
    again = _without_blanks(texts).dictionary_encode()  # two forms may have become one
    return pa.DictionaryArray.from_arrays(again.indices.take(found.indices), again.dictionary)


def _can_be_coded(kind: pa.DataType) -> bool:
    """Returns whether Arrow can encode the type as a dictionary, and it saves time."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_integer(kind) or types.is_float64(kind))


def _as_text(column: pa.Array) -> pa.Array:
    """Returns a column as strings. If the column holds text, they are not canonical yet."""
    kind, types = column.type, pa.types
    if types.is_string(kind):
        return column
    if types.is_dictionary(kind):
        return _as_text(column.dictionary_decode())
    if types.is_floating(kind):
        return _of_floats(column)
    if types.is_timestamp(kind):
        found = column.cast(pa.timestamp(kind.unit)).cast(pa.string())
        return found if kind.tz is None else pc.binary_join_element_wise(found, "Z", "")
    if types.is_duration(kind):
        seconds = pc.divide(column.cast(pa.int64()).cast(pa.float64()), _A_SECOND[kind.unit])
        return _of_floats(seconds)
    if types.is_nested(kind) or types.is_interval(kind) or isinstance(kind, pa.BaseExtensionType):
        raise DataError(_no_categories(kind))
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(_no_categories(kind)) from error


_A_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def _no_categories(kind: pa.DataType) -> str:
    return (
        f"A column of type {kind} cannot hold categories; text, whole numbers, decimals, booleans, "
        "dates and times can."
    )


def _of_floats(column: pa.Array) -> pa.Array:
    """Returns floats as text: whole numbers without a fraction, NaN as null."""
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    whole = pc.and_(pc.is_finite(column), pc.equal(pc.floor(column), column))
    small = pc.and_(whole, pc.less(pc.abs(column), LARGEST_WHOLE))
    as_whole = pc.cast(pc.if_else(small, column, 0.0), pa.int64())
    found = pc.if_else(small, as_whole.cast(pa.string()), column.cast(pa.string()))
    large = pc.and_(whole, pc.invert(small))
    if pc.any(large).as_py():
        texts = [_of_float(number) for number in column.filter(large).to_pylist()]
        found = pc.replace_with_mask(found, pc.fill_null(large, False), pa.array(texts))
    return pc.if_else(pc.is_nan(column), None, found)


def _canonical(texts: pa.Array) -> pa.Array:
    """Returns strings in their canonical form; the same array if all are canonical already."""
    if not _may_change(texts):
        return texts
    candidates = pc.fill_null(pc.match_substring_regex(texts, _CANDIDATE), False)
    if not pc.any(candidates).as_py():
        return texts
    found = pc.ascii_trim(texts.filter(candidates), WHITE)
    with_clock = pc.any(pc.match_substring(found, ":")).as_py()
    for pattern, replacement in RULES if with_clock else _PLAIN_RULES:
        found = pc.replace_substring_regex(found, pattern, replacement)
    special = pc.match_substring_regex(found, f"{_EXPONENT}|{_WITH_ZONE}")
    if pc.any(special).as_py():
        computed = [_computed(each) for each in found.filter(special).to_pylist()]
        found = pc.replace_with_mask(found, special, pa.array(computed, pa.string()))
    return pc.replace_with_mask(texts, candidates, found)


def _may_change(texts: pa.Array) -> bool:
    """Checks quickly, by their bytes, whether any of the texts may not be canonical."""
    if not len(texts):
        return False
    _, ends, content = texts.buffers()
    if content is None:
        return False
    offsets = np.frombuffer(ends, np.int32, len(texts) + 1, texts.offset * 4)
    each = np.frombuffer(content, np.uint8)[offsets[0] : offsets[-1]]
    # White space, signs and points all have lower ASCII codes than digits.
    if not len(each) or each.min() < ord("0"):
        return bool(len(each))
    found = each.tobytes()
    return b"T" in found or b"F" in found  # True, TRUE, False, FALSE


def _without_blanks(texts: pa.Array) -> pa.Array:
    """Replaces empty strings by null."""
    filled = pc.not_equal(texts, "")
    if texts.null_count or texts.offset:
        return pc.if_else(filled, texts, None)
    # This changes the mask only and does not copy the text.
    _, *content = texts.buffers()
    return pa.Array.from_buffers(texts.type, len(texts), [filled.buffers()[1], *content])


def _of_float(number: float) -> str:
    """Returns the text of one float that is not NaN, as `_of_floats` does."""
    if number.is_integer():
        return str(int(number))
    return str(pa.scalar(float(number)).cast(pa.string()).as_py())


def _computed(found: str) -> str:
    """Returns the canonical form of exponents and of times in other time zones."""
    if _exponent.match(found):
        number = float(found)
        # A number that is too large or too small for a float keeps its text.
        return found if math.isinf(number) or not number else _of_float(number)
    if _with_zone.match(found):
        try:
            moment = datetime.fromisoformat(found).astimezone(UTC)
        except (ValueError, OverflowError):
            return found
        return text(moment.replace(tzinfo=None).isoformat(" ") + "Z")
    return found
