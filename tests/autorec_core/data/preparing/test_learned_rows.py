"""The record of learned rows recognises rows in any form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autorec_core.data.preparing.learned_rows import LearnedRows, row_hashes
from autorec_core.data.preparing.store import ROW_NUMBER, table_writer
from autorec_core.errors import DataError

KINDS = {"user": "text", "item": "text", "rating": "number"}


def frame(start, stop):
    """Makes rows that are all different."""
    numbers = np.arange(start, stop)
    return pd.DataFrame(
        {"user": numbers.astype(str), "item": (numbers % 7).astype(str), "rating": numbers / 8}
    )


def written(path, rows, chunk=100):
    """Writes rows as `prepare` does: numbered, in row groups, with dictionaries."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.append_column(ROW_NUMBER, pa.array(np.arange(len(rows))))
    with table_writer(path) as writer:
        for start in range(0, max(len(rows), 1), chunk):
            writer.write(table.slice(start, chunk))
    return path


def test_the_hash_is_the_same_on_every_machine():
    rows = pa.table({"user": ["u1", None], "item": ["3", "é"], "rating": [4.5, None]})

    assert [f"{one:016x}" for one in row_hashes(rows, KINDS)] == [
        "84c0f5b20bba5fa4",
        "133361ac7aedcff7",
    ]


def test_the_hash_depends_on_the_content_and_not_on_types():
    rows = pa.table({"user": ["196", None], "item": ["7", "9"], "rating": [3.0, None]})
    expected = row_hashes(rows, KINDS).tolist()
    coded = rows.set_column(0, "user", rows["user"].dictionary_encode())
    numbers = pd.DataFrame({"rating": [3, np.nan], "item": [7, 9], "user": [196.0, np.nan]})
    plain = pd.DataFrame({"user": ["196", ""], "item": ["7", "9"], "rating": ["3", None]})
    other = pd.DataFrame(
        {"item": pd.Categorical(["7", "9"]), "user": ["196", pd.NA], "rating": [3.0, None]}
    )

    for held in (coded, numbers, plain, other):
        table = held if isinstance(held, pa.Table) else pa.Table.from_pandas(held)
        assert row_hashes(table, KINDS).tolist() == expected
    assert row_hashes(pa.concat_tables([rows.slice(1), rows]), KINDS).tolist() == [
        expected[1],
        *expected,
    ]


def test_rows_that_differ_have_different_hashes():
    rows = pa.table(
        {
            "user": ["a", "b", "a", None, "a", "", "ab"],
            "item": ["b", "a", "b", "b", None, "ab", ""],
            "rating": [1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        }
    )

    assert len(set(row_hashes(rows, KINDS).tolist())) == rows.num_rows
    assert row_hashes(rows, KINDS)[0] != row_hashes(rows, {"user": "text", "item": "text"})[0]


def test_hashes_are_spread_evenly():
    random = np.random.default_rng(0)
    rows = pa.table(
        {
            "user": random.integers(0, 9, 20_000).astype(str),
            "item": np.arange(20_000).astype(str),
            "rating": random.integers(1, 6, 20_000).astype(float),
        }
    )

    found = row_hashes(rows, KINDS)

    assert len(np.unique(found)) == 20_000
    for shift in (60, 0):
        share = np.bincount((found >> np.uint64(shift) & np.uint64(15)).astype(int)) / 20_000
        assert share == pytest.approx(np.full(16, 1 / 16), abs=0.01)


def test_it_recognises_the_rows_it_was_made_of_and_no_others(tmp_path):
    train = written(tmp_path / "rows_train.parquet", frame(0, 950))
    valid = written(tmp_path / "rows_valid.parquet", frame(950, 1050))

    record = LearnedRows.of([train, valid])
    record.save(tmp_path / "learned.parquet")
    again = LearnedRows.load(tmp_path / "learned.parquet")

    assert record.columns == again.columns == KINDS
    assert (again.rows, again.bits, len(again.hashes)) == (1050, 0, 1050)
    sampled, learned = again.find_learned(frame(900, 1200)[["rating", "item", "user"]])
    assert sampled.all()
    assert learned.tolist() == [True] * 150 + [False] * 150
    assert not LearnedRows.of([train]).find_learned(frame(950, 1200))[1].any()


def test_the_record_of_many_rows_is_bounded_and_correct(tmp_path):
    path = written(tmp_path / "rows.parquet", frame(0, 20_000), chunk=1500)

    record = LearnedRows.of([path], most=1000)
    record.save(tmp_path / "learned.parquet")

    assert 400 < len(record.hashes) <= 1000
    assert record.bits == 5  # 20,000 / 2 ** 5 = 625
    sampled, learned = LearnedRows.load(tmp_path / "learned.parquet").find_learned(
        frame(10_000, 30_000)
    )
    assert sampled.mean() == pytest.approx(2.0**-5, rel=0.2)
    assert np.array_equal(learned, sampled & (np.arange(20_000) < 10_000))


def test_repeated_rows_do_not_make_the_sample_smaller(tmp_path):
    rows = pd.concat([frame(0, 50)] * 40)

    record = LearnedRows.of([written(tmp_path / "rows.parquet", rows)], most=100)

    assert (record.rows, record.bits, len(record.hashes)) == (2000, 0, 50)


def test_rows_without_a_column_of_the_record_are_an_error(tmp_path):
    record = LearnedRows.of([written(tmp_path / "rows.parquet", frame(0, 10))])

    assert record.find_learned(frame(0, 10).assign(new="x"))[1].all()
    with pytest.raises(DataError, match="rating"):
        record.find_learned(frame(0, 10).drop(columns="rating"))


def test_a_file_that_is_not_a_record_is_an_error(tmp_path):
    (tmp_path / "text").write_text("no", encoding="utf-8")
    pq.write_table(pa.table({"hash": [1]}), tmp_path / "bare")

    for name in ("text", "bare", "absent"):
        with pytest.raises(DataError, match=f"{name} is not a record"):
            LearnedRows.load(tmp_path / name)
