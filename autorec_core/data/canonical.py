"""The one canonical text of a category, whatever form a file, a frame or a request gives it.

115, 115.0, "115.0", " 115" and a decimal 115.00 are one category. So are true, True and TRUE; a
date at midnight and that date; and two writings of one moment. Training, scoring, serving and the
record of learned rows all use this text.

What is no plain number stays as it is: "007" keeps its zeros, and "1e3" is a code, not 1000,
unless its exponent has a sign or its first part a point, as programs write numbers (1e+16).
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
"""The white space that is taken off at both ends of a text."""
LARGEST_WHOLE = 2.0**63
"""Whole numbers below it fit into Arrow's largest integers."""
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
"""Patterns and what replaces them, one after the other, once white space is off.

Python's `re` and RE2, which Arrow and TensorFlow use, read them alike.
"""
_EXPONENT = r"^-?[0-9](?:\.[0-9]*[eE][+-]?|[eE][+-])[0-9]+$"
_WITH_ZONE = rf"^{_DAY} {_SECOND}(?:\.[0-9]+)?[+-][0-9:]+$"
_FORM = (
    rf"^(?:True|TRUE|False|FALSE|-0|-?[0-9]*\.[0-9]*|-?[0-9](?:\.[0-9]*)?[eE].*"
    rf"|{_DAY}[T ].*|{_SECOND}\..*)$"
)
"""What a text without white space at its ends looks like that may not be canonical yet."""
_CANDIDATE = rf"^[ \t\n\v\f\r]|[ \t\n\v\f\r]$|{_FORM}"
_RULES, _form = [(re.compile(one), by) for one, by in RULES], re.compile(_FORM)
_exponent, _with_zone = re.compile(_EXPONENT), re.compile(_WITH_ZONE)


def text(found: str) -> str:
    """The canonical form of a text; empty where there is nothing but white space."""
    found = found.strip(WHITE)
    if not _form.match(found):
        return found
    for pattern, replacement in _RULES:
        found = pattern.sub(replacement, found)
    return _computed(found)


def category(value: Any) -> str | None:
    """The canonical text of one value of any Python, NumPy or pandas type; None where missing."""
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
    return categories(found)[0].as_py()


def categories(column: pa.Array) -> pa.Array:
    """The canonical texts of a column: strings, null where nothing stands.

    Raises:
        DataError: The column's type cannot hold categories.
    """
    return _without_blanks(_canonical(_as_text(column)))


def coded(column: pa.Array) -> pa.DictionaryArray:
    """As `categories`, each text in a dictionary once."""
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
    """Whether there is a dictionary of the type's values, and it pays to make one."""
    types = pa.types
    return types.is_string(kind) or types.is_integer(kind) or types.is_float64(kind)


def _as_text(column: pa.Array) -> pa.Array:
    """A column as strings; those of a column of text are not canonical yet."""
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
    """The texts of floats: whole ones have no fraction, and NaN is nothing."""
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
    """Strings in their canonical form; the same array where all of them have it."""
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
    """Whether any byte of the texts may belong to one that is not canonical: a quick look."""
    if not len(texts):
        return False
    _, ends, content = texts.buffers()
    if content is None:
        return False
    offsets = np.frombuffer(ends, np.int32, len(texts) + 1, texts.offset * 4)
    each = np.frombuffer(content, np.uint8)[offsets[0] : offsets[-1]]
    # White space, signs and points all stand before the digits in ASCII.
    if not len(each) or each.min() < ord("0"):
        return bool(len(each))
    found = each.tobytes()
    return b"T" in found or b"F" in found  # True, TRUE, False, FALSE


def _without_blanks(texts: pa.Array) -> pa.Array:
    """Strings with null in place of the empty one."""
    filled = pc.not_equal(texts, "")
    if texts.null_count or texts.offset:
        return pc.if_else(filled, texts, None)
    # The same text under another mask, not a copy of it.
    _, *content = texts.buffers()
    return pa.Array.from_buffers(texts.type, len(texts), [filled.buffers()[1], *content])


def _of_float(number: float) -> str:
    """The text of one float that is not NaN, as `_of_floats` has it."""
    if number.is_integer():
        return str(int(number))
    return pa.scalar(float(number)).cast(pa.string()).as_py()


def _computed(found: str) -> str:
    """The canonical form of what no replacement gives: exponents, and times of other zones."""
    if _exponent.match(found):
        number = float(found)
        # Beyond what floats can tell apart, a text stays as it is.
        return found if math.isinf(number) or not number else _of_float(number)
    if _with_zone.match(found):
        try:
            moment = datetime.fromisoformat(found).astimezone(UTC)
        except (ValueError, OverflowError):
            return found
        return text(moment.replace(tzinfo=None).isoformat(" ") + "Z")
    return found
