"""Guesses the label column of a table, and which of its values are positive."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from autorec_core.data import canonical, spelled, values
from autorec_core.data.kinds import is_moment, is_scalar
from autorec_core.data.labels import is_scale
from autorec_core.data.reading.guessing.spelling import decimal_of_column, is_missing_word
from autorec_core.errors import DataError, listed

MOST_WORDS = 20
_LABEL = (
    r"rating|stars|score|overall|label|target|y|class|outcome|income|churn(ed)?"
    r"|(is_?)?click(ed)?|(is_?)?like[ds]?"
    r"|(is_?)?(converted|conversion|purchased?|bought)"
)
_POSITIVE = re.compile(
    r"yes|y|ja|oui|si|sí|sim|tak|true|t|1|1\.0|on|pos|positive|click(ed)?|liked?|good|bought|purchased?|converted"
    r"|won|win|success|churn(ed)?|accept(ed)?|high|👍|>.*"
)
_NEGATIVE = re.compile(
    r"no|n|nein|nee|non|não|nie|false|f|0|0\.0|-1|-1\.0|off|neg|negative|skip(ped)?|disliked?|bad|lost|loss"
    r"|fail(ed|ure)?|reject(ed)?|low|👎|<.*"
)


@dataclass(frozen=True)
class Label:
    """The label of a table.

    Args:
        name: The column.
        found: The different labels as numbers, in order.
        is_scale: Whether rows may have only these labels; see `labels.is_scale`.
        positive: The words that become 1, if labels are words.
        negative: The words that become 0.
        note: How the label is read, for the user.
    """

    name: str
    found: np.ndarray
    is_scale: bool = True
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    note: str = "the label"

    @property
    def is_click(self) -> bool:
        """Whether all labels are 0 or 1."""
        return bool(self.positive) or set(self.found.tolist()) <= {0.0, 1.0}


def label_of(
    path: Path, columns: Mapping[str, pa.Array], name: str | None, positive: Sequence[str]
) -> Label:
    """Finds the label of a table.

    Args:
        path: The file, for messages.
        columns: The table's columns.
        name: The label's name; None to guess it from names and values.
        positive: The positive values; empty to guess them.

    Raises:
        DataError: No column can be the label, or the named column cannot.
    """
    name = _find(path, columns) if name is None else name
    if positive:
        return _of_words(path, name, columns[name], positive)
    numbers = _label_numbers(columns[name])
    if numbers is not None and len(numbers):
        found, counts = np.unique(numbers, return_counts=True)
        if found.tolist() == [-1.0, 1.0]:
            return Label(name, found, True, ("1",), ("-1",), "the label; 1 counts as 1, -1 as 0")
        return Label(name, found, is_scale(found, counts))
    if label := _of_two_words(name, columns[name]):
        return label
    raise DataError(
        f"{path}: {name} cannot be the label; a label must be a number in every row, or one of two "
        f"words. For more words, use --positive to choose those that count as 1. "
        f"{_values_of(columns[name])}"
    )


def numbers_of(column: pa.Array) -> np.ndarray | None:
    """Returns a column's numbers without missing values; None if a value is not a number."""
    if not is_scalar(column.type):
        return None
    try:
        plain = spelled.plain_numbers(column, decimal_of_column(column))
        found, wrong = values.numbers(plain)
    except (DataError, pa.ArrowException):
        return None
    return None if wrong.any() else found.drop_null().to_numpy(zero_copy_only=False)


def _label_numbers(column: pa.Array) -> np.ndarray | None:
    """Returns a column's numbers as `numbers_of` does; None for dates, which cannot be labels."""
    return None if is_moment(column.type) else numbers_of(column)


def _find(path: Path, columns: Mapping[str, pa.Array]) -> str:
    for name, column in columns.items():
        if re.fullmatch(_LABEL, re.sub(r"[\s-]+", "_", name.strip().lower())):
            numbers = _label_numbers(column)
            if (numbers is not None and len(numbers)) or _of_two_words(name, column):
                return name
    first, *_, last = *columns, *columns
    for name in dict.fromkeys((last, first)):
        numbers = _label_numbers(columns[name])
        if numbers is not None and set(np.unique(numbers).tolist()) in ({0.0, 1.0}, {-1.0, 1.0}):
            return name
        if numbers is None and _of_two_words(name, columns[name], known=True):
            return name
    raise DataError(
        f"{path}: no column looks like a label; name one of {', '.join(columns)} with --label."
    )


def _of_words(path: Path, name: str, column: pa.Array, positive: Sequence[str]) -> Label:
    counts = _counts(column)
    positive = [canonical.text(word) for word in positive]
    if missing := [word for word in positive if word not in counts]:
        raise DataError(f"{path}: {name} is never {missing[0]!r}. {_values_of(column)}")
    others = [word for word in counts if word not in positive]
    if not others:
        raise DataError(f"{path}: {name} has only the value {listed(positive)}; nothing to learn.")
    negative = tuple(others) if len(others) <= MOST_WORDS else ()
    shown = listed(negative) if negative else "all other values"
    note = f"the label; {listed(positive)} counts as 1, {shown} as 0"
    return Label(name, np.array([0.0, 1.0]), True, tuple(positive), negative, note)


def _of_two_words(name: str, column: pa.Array, *, known: bool = False) -> Label | None:
    """Makes a label of two words, ignoring case; with `known`, only of common label words."""
    counts = _counts(column)
    texts = list(dict.fromkeys(word.strip().lower() for word in counts))
    of_each = {text: [word for word in counts if word.strip().lower() == text] for text in texts}
    if len(texts) != 2:
        return None
    first, second = sorted(texts)
    known_positive = [text for text in texts if _POSITIVE.fullmatch(text)]
    known_negative = [text for text in texts if _NEGATIVE.fullmatch(text)]
    if len(known_positive) == len(known_negative) == 1 and known_positive != known_negative:
        positive, why = known_positive[0], "by its meaning"
    elif any(
        {first, second} == {word, f"{no}{gap}{word}"}
        for word in texts
        for no in ("no", "not", "non", "un", "dis", "in")
        for gap in ("", " ", "-", "_")
    ):
        positive, why = min(texts, key=len), "by its meaning"
    elif known or sum(counts.values()) <= len(counts):
        return None
    else:
        rows = {text: sum(counts[word] for word in of_each[text]) for text in texts}
        positive = min((first, second), key=lambda text: (rows[text], text != second))
        why = "because it is rarer; exchange `positive` and `negative` if that is wrong"
    negative = next(text for text in texts if text != positive)
    yes, no = of_each[positive], of_each[negative]
    note = f"the label; {listed(yes)} counts as 1, {why}, {listed(no)} as 0"
    return Label(name, np.array([0.0, 1.0]), True, tuple(yes), tuple(no), note)


def _counts(column: pa.Array) -> Counter[str]:
    """Counts each value; returns nothing for a column of lists or structs."""
    if not is_scalar(column.type):
        return Counter()
    texts = values.categories(column).drop_null().to_pylist()
    return Counter(text for text in texts if not is_missing_word(text))


def _values_of(column: pa.Array) -> str:
    found = list(_counts(column))
    more = f" and {len(found) - 6:,} more" if len(found) > 6 else ""
    return f"It is {', '.join(repr(one) for one in found[:6])}{more}." if found else "It is empty."
