"""Finds the words for "missing" in a table, and the decimal sign of formatted numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import spelled, values

Decimal = Literal[".", ","]

_ERRORS = frozenset({"#n/a", "#div/0!", "#value!", "#ref!", "#name?", "#null!", "#num!"})
"""What spreadsheets write into a cell that they cannot compute."""
ALWAYS = _ERRORS | {"\\n", "null", "(null)", "nan", "nat", "<na>", "n/a", "?"}
"""Words in small letters that mean "missing" in any column."""
BESIDE_NUMBERS = frozenset({"na", "none", "nil", "-", "--", "–", "—", ".", "missing", "unknown"})
"""Words that mean "missing" in a column of numbers, but may be categories elsewhere."""
_NO_CATEGORY = re.compile(rf"{values.NUMBER}|^\d{{4}}-\d\d-\d\d|^(?i:true|false|yes|no)$")


def is_missing_word(text: str) -> bool:
    """Returns whether a text may mean a missing value."""
    return text.strip().lower() in ALWAYS | BESIDE_NUMBERS


def missing_words(columns: Mapping[str, pa.Array]) -> list[str]:
    """Returns the words that mean missing values, as they are spelled in the table."""
    found: dict[str, None] = {}
    for column in columns.values():
        if not _is_text(column):
            continue
        texts = pc.unique(column.drop_null()).to_pylist()
        others = [text for text in texts if text and not is_missing_word(text)]
        no_categories = all(_NO_CATEGORY.search(text) for text in others) or (
            decimal_of(others) is not None
        )
        for text in texts:
            known = text.strip().lower()
            if known in ALWAYS or (known in BESIDE_NUMBERS and no_categories):
                found[text] = None
    return list(found)


def decimal_of(texts: Iterable[str]) -> Decimal | None:
    """Returns the decimal sign of formatted numbers; None for other texts.

    Formatted numbers have a decimal comma, thousands separators, or a currency or percent sign.
    """
    texts = list(texts)
    if not texts or all(re.match(values.NUMBER, text) for text in texts):
        return None
    marks: tuple[Decimal, ...] = (".", ",")
    fitting = [mark for mark in marks if all(re.match(spelled.WRITTEN[mark], one) for one in texts)]
    if len(fitting) == 2:
        # 1,234 may be either. If three digits follow every comma, the commas separate thousands.
        return "," if not any("," in text for text in texts) and "." in "".join(texts) else "."
    return fitting[0] if fitting else None


def decimal_of_column(column: pa.Array) -> Decimal | None:
    """Does the same as `decimal_of` for a column of texts."""
    if not _is_text(column):
        return None
    return decimal_of(text for text in pc.unique(column.drop_null()).to_pylist() if text)


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))
