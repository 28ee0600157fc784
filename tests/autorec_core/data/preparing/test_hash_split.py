"""The split by hash: old rows stay in their part, and equal rows have different identities."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from autorec_core.config import SplitParams
from autorec_core.data.preparing.identity import RowHashes
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.split import PARTS, hash_sample, hash_split
from autorec_core.data.preparing.store import load_rows
from autorec_core.errors import DataError

BY_HASH = SplitParams(strategy="hash", ratios=[0.8, 0.1, 0.1])
NEW = [0, 17, 400, 1000, 1999]


def names(rows, seed=0):
    return np.random.default_rng(seed).integers(0, 2**63, rows).astype(np.uint64)


def table(rows, seed=0):
    """Makes ratings that are all different."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": random.integers(0, 40, rows) + 1000 * seed,
            "item": np.arange(rows),
            "rating": random.integers(1, 4, rows),
        }
    )


def few_clicks(rows, seed):
    """Makes clicks on three pages and two ads: twelve different rows, each many times."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": random.integers(0, 3, rows),
            "item": random.integers(0, 2, rows),
            "rating": random.integers(1, 3, rows),
        }
    )


def grown(old, new, places=NEW):
    """Inserts new rows between the old ones."""
    pieces = np.split(np.arange(len(old)), places)
    each = np.array_split(np.arange(len(new)), len(pieces))
    parts = [
        frame
        for piece, some in zip(pieces, each, strict=True)
        for frame in (new.iloc[some], old.iloc[piece])
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def split_of(entry, preprocess, tmp_path):
    """Prepares a table and returns the folder."""

    def make(frame, name, split=BY_HASH, seed=1, **changes):
        raw = tmp_path / f"{name}.csv"
        frame.to_csv(raw, index=False)
        prepare(entry(**changes), split, preprocess, seed, raw, tmp_path / name)
        return tmp_path / name

    return make


def rows_of(folder, part, columns=("user", "item", "rating")):
    return Counter(load_rows(folder, part)[list(columns)].itertuples(index=False, name=None))


def test_shares_are_those_of_the_ratios_and_the_seed_decides():
    parts = hash_split(names(100_000), [0.8, 0.1, 0.1], seed=1)

    # Three standard deviations of a share of a tenth of 100,000 rows are 285 rows.
    assert np.bincount(parts) == pytest.approx([80_000, 10_000, 10_000], abs=400)
    assert (parts == hash_split(names(100_000), [0.8, 0.1, 0.1], seed=1)).all()
    assert (parts != hash_split(names(100_000), [0.8, 0.1, 0.1], seed=2)).mean() > 0.3


def test_old_rows_stay_in_their_part_when_rows_are_added_anywhere(split_of):
    old, new = table(2000), table(100, seed=7)

    before, after = split_of(old, "before"), split_of(grown(old, new), "after")

    for part in PARTS:
        assert rows_of(before, part) <= rows_of(after, part)
    assert 130 < len(load_rows(before, "test")) < 270


def test_equal_rows_have_different_identities_and_stay_too(split_of):
    old, new = few_clicks(2000, seed=1), few_clicks(100, seed=2)

    before, after = split_of(old, "before"), split_of(grown(old, new), "after")

    for part in PARTS:
        assert rows_of(before, part) <= rows_of(after, part)
    assert 130 < len(load_rows(before, "test")) < 270


def test_no_test_row_was_learned_from_even_if_rows_are_equal(split_of):
    old, new = few_clicks(2000, seed=1), few_clicks(100, seed=2)
    before, after = split_of(old, "before"), split_of(grown(old, new), "after")

    record = LearnedRows.of([before / f"rows_{part}.parquet" for part in ("train", "valid")])
    sampled, learned = record.find_learned(load_rows(after, "test"))

    assert sampled.all()
    assert not learned.any()
    assert record.find_learned(load_rows(before, "train"))[1].all()


def test_in_other_splits_only_rows_that_were_learned_from_are_recognised(split_of, split):
    rows = few_clicks(3000, seed=1)
    first, second = (split_of(rows, f"at {seed}", split, seed=seed) for seed in (1, 2))

    record = LearnedRows.of([first / f"rows_{part}.parquet" for part in ("train", "valid")])
    learned = record.find_learned(load_rows(second, "test"))[1]
    numbers = {
        row
        for part in ("train", "valid")
        for row in load_rows(first, part, numbered=True)["__row__"]
    }

    truth = load_rows(second, "test", numbered=True)["__row__"].isin(numbers)
    assert learned.tolist() == truth.tolist()
    assert 0.8 < learned.mean() < 0.97


def test_a_row_is_identified_by_its_key_even_if_other_columns_change(split_of):
    old = table(2000).assign(event=[f"e{place}" for place in range(2000)])
    edited = grown(old, table(50, seed=3).assign(event=[f"n{place}" for place in range(50)]))
    edited["rating"] = 4 - edited["rating"]
    keyed = {"ignored": ["event"], "facts": {"unique": ["event"]}}

    before, after = split_of(old, "before", **keyed), split_of(edited, "after", **keyed)

    for part in PARTS:
        assert rows_of(before, part, ["event"]) <= rows_of(after, part, ["event"])
    record = LearnedRows.of([before / "rows_train.parquet"], key=["event"])
    assert set(record.columns) == {"event"}
    assert not record.find_learned(load_rows(after, "test"))[1].any()


def test_rows_of_one_key_are_in_one_part(split_of):
    rows = pd.concat([table(500), table(500).assign(rating=2)], ignore_index=True)

    made = split_of(rows, "twice", facts={"unique": ["user", "item"]})

    for part in PARTS:
        assert set(rows_of(made, part, ["user", "item"]).values()) == {2}


def test_a_missing_key_is_an_error(split_of):
    rows = table(100).assign(event=["e", None] * 50)

    with pytest.raises(DataError, match=r"event is empty in 50 rows, but `split\.strategy: hash`"):
        split_of(rows, "gaps", ignored=["event"], facts={"unique": ["event"]})


def test_sampled_rows_stay_in_their_part_when_rows_are_added(split_of):
    old, new = table(2000), table(100, seed=7)

    before = split_of(old, "before", sample=500)
    after = split_of(grown(old, new), "after", sample=500)

    together = [sum((rows_of(made, part) for part in PARTS), Counter()) for made in (before, after)]
    assert [sum(one.values()) for one in together] == [500, 500]
    stayed = together[0] & together[1]
    assert len(stayed) > 400
    for part in PARTS:
        assert rows_of(before, part) & stayed == rows_of(after, part) & stayed


def test_a_sample_by_hash_keeps_the_shares_of_the_labels():
    labels = np.repeat([0, 1], [900, 100])

    chosen = hash_sample(labels, names(1000), 50, seed=3)

    assert np.bincount(labels[chosen]).tolist() == [45, 5]
    parts = hash_split(
        names(100_000)[hash_sample(np.zeros(100_000), names(100_000), 9000, 3)], [0.8, 0.1, 0.1], 3
    )
    assert np.bincount(parts) == pytest.approx([7200, 900, 900], abs=130)


def test_too_few_rows_for_a_hash_split_are_an_error(split_of):
    with pytest.raises(DataError, match=r"The split by hash leaves (valid|test) without a row: 6"):
        split_of(table(6), "few")


def test_occurrences_are_counted_over_all_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("autorec_core.data.preparing.identity.AT_ONCE", 100)
    values = np.random.default_rng(0).integers(0, 3, 900).astype(np.uint64)
    values[:700] = 5
    for number, chunk in ((0, values[:10]), (2, values[10:500]), (3, values[500:])):
        np.save(tmp_path / f"hashes_{number}.npy", chunk)

    found = RowHashes(tmp_path, ((0, 10), (2, 490), (3, 400))).occurrences()

    seen: Counter = Counter()
    expected = []
    for value in values.tolist():
        expected.append(seen[value])
        seen[value] += 1
    assert found.tolist() == expected
