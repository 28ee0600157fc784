"""Vocabularies: every known category has its own id, and others are unknown."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from autorec_core.data.encoding import vocabulary
from autorec_core.data.encoding.vocabulary import Vocabulary, VocabularyCounter

KNOWN = [None, *(f"person {number}" for number in range(200))]
ASKED = ["person 7", None, "nobody", "person 199", "", "person 0", "NOBODY", "person 7"]
IDS = [9, 1, 0, 201, 0, 2, 0, 9]


@pytest.fixture(params=["hashes differ", "hashes collide"])
def known(request, monkeypatch):
    if request.param == "hashes collide":
        apart = vocabulary._hashes
        monkeypatch.setattr(vocabulary, "_hashes", lambda texts: apart(texts) % np.uint64(5))
    values = pa.array(KNOWN, pa.string())
    return Vocabulary(values, pa.array(np.ones(len(KNOWN), dtype=np.int64)))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "dictionary"])
def test_columns_and_lists_have_the_same_ids(known, kind, coded):
    column = pa.array(ASKED, kind)

    assert known.lookup(column.dictionary_encode() if coded else column).tolist() == IDS
    assert known.lookup(ASKED).tolist() == IDS


def test_if_train_has_no_missing_values_a_missing_value_is_unknown():
    gapless = Vocabulary(pa.array(["a"]), pa.array([1]))

    assert gapless.missing == 0
    assert gapless.lookup(pa.array([None, "a"], pa.string())).tolist() == [0, 1]


def test_an_empty_vocabulary_knows_nothing():
    nothing = VocabularyCounter().finish(min_count=1, max_size=None)

    assert nothing.lookup(pa.array(["a", None])).tolist() == [0, 0]


def test_counts_do_not_depend_on_when_they_are_added_up(monkeypatch):
    chunks = [[f"{n % 97}" for n in range(start, start + 150)] for start in range(0, 900, 150)]

    def counted():
        counter = VocabularyCounter()
        for chunk in chunks:
            counter.update(pa.array(chunk))
        return counter.finish(min_count=2, max_size=None)

    at_the_end = counted()
    monkeypatch.setattr(vocabulary, "PENDING", 10)
    now_and_then = counted()

    assert now_and_then.values.equals(at_the_end.values)
    assert now_and_then.counts.equals(at_the_end.counts)
    assert sum(at_the_end.counts.to_pylist()) == 900
