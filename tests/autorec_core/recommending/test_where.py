"""Conditions on the columns of items: what they choose, and what is wrong with one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from autorec_core.data.side_table import SideTable
from autorec_core.errors import DataError
from autorec_core.recommending.columns import OwnColumns
from autorec_core.recommending.facts import ItemFacts
from autorec_core.recommending.index import Index
from autorec_core.recommending.where import read_condition

ITEMS = pa.array(["a", "b", "c", "d", "e"])
TABLE = SideTable(
    "item",
    "id",
    pa.array(["d", "c", "b", "a"]),  # nothing is known of "e"
    {
        "brand": pa.array(["north", None, "it's", "north"]),
        "genres": pa.array([None, "Drama", "Drama|Sci-Fi", "Sci-Fi"]),
        "year": pa.array([1990.0, 2001.0, None, 1985.5]),
        "ends": pa.array(["2026-12-24", "2026-12-01 12:00", None, "2025-01-01"]),
    },
    "name",
    pa.array(["The D", "The C", "The B", "The A"]),
)
OWN = OwnColumns(Index(ITEMS), {"code": pa.array(["007", "7", "7", "x", None])})
FACTS = ItemFacts(OWN, [TABLE], {"genres": "|"})
GIVEN = pa.table({"stock of today": ["3", "0", "", "12", "1"], "year": ["1", "1", "1", "2", "2"]})
ALONE = GIVEN.select([])


def chosen(condition: str, given: pa.Table = ALONE) -> str:
    holds = read_condition(condition).holds(lambda name: FACTS.cells(name, ITEMS, given))
    return "".join(ITEMS.filter(holds).to_pylist())


@pytest.mark.parametrize(
    ("condition", "items"),
    [
        ("brand = north", "ad"),
        ("brand == 'north'", "ad"),
        ('brand = "it\'s"', "b"),
        ("brand = 'it''s'", "b"),
        ("brand != north", "b"),  # no brand is known of c and e
        ("not brand = north", "b"),
        ("brand is missing", "ce"),
        ("brand is not missing", "abd"),
        ("genres = Drama", "bc"),  # one of several values is enough
        ("genres != Drama", "a"),
        ("genres in (Drama, 'Sci-Fi')", "abc"),
        ("genres = Drama and genres = 'Sci-Fi'", "b"),
        ("genres is missing", "de"),
        ("year >= 1990", "cd"),
        ("year < 1990", "a"),
        ("year = 1990.0", "d"),
        ("year not in (1990, 2001)", "a"),
        ("ends > 2026-12-01", "cd"),
        ("ends <= '2026-12-01 12:00:00'", "ac"),
        ("ends > 2026-11-27 OR ends IS missing", "bcde"),
        ("code = 7", "bc"),  # a code keeps its zeros
        ("name = 'The B' or brand=north and year<1990", "ab"),  # `and` binds more than `or`
        ("(name = 'The B' or brand=north) and year<1990", "a"),
        ("not (brand = north or year = 2001)", ""),  # of b's year nothing is known
    ],
)
def test_a_condition_chooses_items(condition, items):
    assert chosen(condition) == items


def test_columns_that_are_given_come_first_and_text_is_compared_as_numbers():
    assert chosen("[stock of today] > 2", GIVEN) == "ad"
    assert chosen("year = 2", GIVEN) == "de"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("colour = red", "no column colour. Their columns are: brand, code, ends, genres, name, y"),
        ("genres = Dramma", "No item has the value 'Dramma' in the column genres. The values are"),
        ("genres not in (Drama, Western)", "No item has the value 'Western'"),
        ("brand = ''", "No item has the value ''"),
        ("brand < north", "both sides must be numbers, or both must be times"),
        ("year > soon", "`year > soon` cannot be compared"),
        ("genres > 3", "cannot be compared"),
        ("genres", "cannot be read at its end. An example of a condition: genre = 'Drama'"),
        ("genres = ", "cannot be read at its end"),
        ("genres = Drama year = 3", "cannot be read at 'year = 3'"),
        ("__import__('os').getcwd()", "cannot be read at"),
        ("year + 1 > 3", "cannot be read at '\\+ 1 > 3'"),
        ("and = 3", "cannot be read at 'and = 3'"),
        ("", "cannot be read at its end"),
        ("(" * 400 + "year = 1" + ")" * 400, "too many parentheses"),
        ("year in (" + ", ".join(["1990"] * 300) + ")", "at most 1,000 are read"),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_in_a_sentence(condition, message):
    with pytest.raises(DataError, match=message):
        chosen(condition)


def test_similar_values_are_proposed_if_there_are_many():
    words = pa.array([f"word {number}" for number in range(100)])
    facts = ItemFacts(OwnColumns(Index(words), {"tag": words}))

    with pytest.raises(DataError, match=r"Similar values are: word \d"):
        read_condition("tag = 'wrd 7'").holds(lambda name: facts.cells(name, words, ALONE))
