"""Reads conditions such as `genre = 'Drama' and not (year < 1990 or year is missing)`.

A condition compares columns with values. It can call nothing, and no part of it is run as code.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from autorec_core.errors import DataError
from autorec_core.recommending.conditions import (
    ORDERS,
    Condition,
    Joined,
    Missing,
    Not,
    OneOf,
    Ordered,
)

LONGEST = 1000
"""The largest number of characters of a condition."""
FORM = "genre = 'Drama' and (year >= 1990 or year is missing)"
WORD = r"""[^\s()\[\]=!<>,'"]+"""
"""A column or a value without quotes."""


def read_condition(text: str) -> Condition:
    """Reads a condition.

    Args:
        text: The condition.

    Raises:
        DataError: It has another form, or is too long.
    """
    import pyparsing as pp

    if len(text) > LONGEST:
        raise DataError(
            f"The condition has {len(text):,} characters; at most {LONGEST:,} are read."
        )
    try:
        condition: Condition = _grammar().parse_string(text, parse_all=True)[0]
    except pp.ParseBaseException as error:
        rest = text[error.loc :].strip()
        place = f"at {rest!r}" if rest else "at its end"
        raise DataError(
            f"The condition {text!r} cannot be read {place}. An example of a condition: {FORM}."
        ) from error
    except RecursionError as error:
        raise DataError("The condition has too many parentheses inside each other.") from error
    return condition


@cache
def _grammar() -> Any:
    """Returns the grammar. Its first symbols decide between its rules, so reading takes no time."""
    import pyparsing as pp

    words = ("and", "or", "not", "in", "is", "missing")
    and_, or_, not_, in_, is_, missing = (pp.CaselessKeyword(word) for word in words)
    keyword = pp.MatchFirst([and_, or_, not_, in_, is_, missing])
    quoted = pp.QuotedString("'", esc_quote="''") | pp.QuotedString('"', esc_quote='""')
    word = ~keyword + pp.Regex(WORD)
    value = quoted | word
    column = pp.QuotedString("[", end_quote_char="]") | word
    several = pp.Suppress("(") + pp.DelimitedList(value) + pp.Suppress(")")

    equal = (pp.Suppress(pp.one_of("= ==")) + value).set_parse_action(_one_of)
    unequal = (pp.Suppress("!=") + value).set_parse_action(_none_of)
    ordered = (pp.one_of(list(ORDERS)) + value).set_parse_action(
        lambda found: lambda name: Ordered(name, found[0], found[1])
    )
    among = (pp.Suppress(in_) + several).set_parse_action(_one_of)
    not_among = (pp.Suppress(not_ + in_) + several).set_parse_action(_none_of)
    empty = pp.Suppress(is_ + missing).set_parse_action(lambda: Missing)
    filled = pp.Suppress(is_ + not_ + missing).set_parse_action(
        lambda: lambda name: Not(Missing(name))
    )
    rest = unequal | ordered | equal | among | not_among | empty | filled
    comparison = (column + rest).set_parse_action(lambda found: found[1](found[0]))

    condition = pp.Forward()
    single = pp.Forward()
    inverted = (pp.Suppress(not_) + single).set_parse_action(lambda found: Not(found[0]))
    single <<= inverted | pp.Suppress("(") + condition + pp.Suppress(")") | comparison
    every = pp.DelimitedList(single, and_).set_parse_action(lambda found: _joined(True, found))
    condition <<= pp.DelimitedList(every, or_).set_parse_action(lambda found: _joined(False, found))
    return condition


def _one_of(found: Any) -> Any:
    """Returns what makes a condition of a column's name."""
    wanted = tuple(found)
    return lambda name: OneOf(name, wanted)


def _none_of(found: Any) -> Any:
    """Returns what makes a condition of a column's name."""
    wanted = tuple(found)
    return lambda name: Not(OneOf(name, wanted))


def _joined(every: bool, found: Any) -> Condition:
    parts = tuple(found)
    return parts[0] if len(parts) == 1 else Joined(every, parts)
