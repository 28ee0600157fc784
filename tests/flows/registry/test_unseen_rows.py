"""Which test rows the gate uses in its comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autorec_core.data.preparing.learned_rows import LearnedRows, row_hashes
from flows.registry.unseen_rows import Basis
from flows.registry.unseen_rows import basis as basis_of

FEWEST = 100


def basis(champion, record, rows) -> Basis:
    return basis_of(champion, record, rows, fewest=FEWEST)


KINDS = {"user": "text", "rating": "number"}


def frame(start, stop):
    numbers = np.arange(start, stop)
    return pd.DataFrame({"user": numbers.astype(str), "rating": 1.0 + numbers % 5})


def record(rows, bits=0, columns=KINDS):
    import pyarrow as pa

    found = np.unique(row_hashes(pa.Table.from_pandas(rows), columns))
    return LearnedRows(found[found < 2.0 ** (64 - bits)], bits, len(rows), columns)


def test_without_learned_rows_there_is_no_detail():
    found = basis(3, record(frame(0, 500)), frame(500, 550))

    assert (found.counted, found.detail) == (None, "")


def test_rows_the_champion_learned_from_are_left_out():
    found = basis(3, record(frame(0, 800)), frame(500, 1000))

    assert found.counted.tolist() == [False] * 300 + [True] * 200
    assert found.detail == "200 of 500 are used: version 3 learned from 300 of them"


@pytest.mark.parametrize(("left", "restricted"), [(FEWEST, True), (FEWEST - 1, False)])
def test_too_few_are_no_judgement(left, restricted):
    found = basis(3, record(frame(0, 500)), frame(300, 500 + left))

    assert (found.counted is not None) is restricted
    if not restricted:
        assert found.detail == (
            "all 299 are used, although version 3 learned from 200 of them: only 99 would be left, "
            "fewer than 100"
        )


def test_a_champion_without_a_record_is_judged_on_all_and_that_is_said():
    found = basis(3, None, frame(0, 50))

    assert found.counted is None
    assert found.detail.startswith("all 50 are used: version 3 has no record of the rows")


def test_rows_with_other_columns_cannot_be_compared():
    found = basis(3, record(frame(0, 800)), frame(500, 1000).rename(columns={"user": "member"}))

    assert found.counted is None
    assert "learned from rows with other columns" in found.detail


def test_with_a_sampled_record_only_its_rows_are_used():
    known, rows = record(frame(0, 20_000), bits=3), frame(15_000, 20_000 + 5_000)

    found = basis(3, known, rows)

    assert found.counted.sum() == pytest.approx(5_000 / 8, rel=0.15)
    assert not found.counted[:5_000].any()
    assert " of 10,000 are used: version 3 learned from " in found.detail
    assert "that its record covers among them" in found.detail
    assert basis(3, known, frame(20_000, 30_000)).counted is None
    assert basis(3, known, frame(20_000, 30_000)).detail == ""
    few = basis(3, known, frame(20_000, 20_200))
    assert few.counted is None
    assert "learned from 0 of the " in few.detail
