"""Counts of all raw rows, chunk by chunk, comparable between versions of the data."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from autorec_core.data.preparing.tally import RawTally, count, drifts, psi


def table(rows=2000, seed=0, shift=0.0, users=50):
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "click": random.integers(0, 2, rows).astype(float),
            "site": pd.Series([f"site-{n}" for n in random.integers(0, users, rows)]).tolist(),
            "device": ["d" if n else None for n in random.integers(0, 4, rows)],
            "price": random.normal(shift, 1, rows),
            "age": np.floor(random.uniform(10, 90, rows)),
        }
    )


def tally(entry, *tables, previous=None):
    counted = RawTally(entry, previous)
    for one in tables:
        counted.learn(one)
        counted.add(count(entry, counted.edges, one))
    return counted.finish()


def test_psi_is_the_sum_over_bins_of_share_difference_times_log_ratio():
    # Shares with half a row more a bin: .5 and .5 against .8960 and .1040:
    # .3960 * ln(.8960 / .5) + .3960 * ln(.5 / .1040) = .2310 + .6220
    assert psi([50, 50], [90, 10]).psi == pytest.approx(0.853, abs=1e-3)
    assert psi([50, 50], [50, 50]).psi == 0
    assert psi([5000, 5000], [4900, 5100]).beyond_chance == 0


def test_figures_are_those_of_all_chunks(clicks):
    whole = table()
    found = tally(clicks(), *(whole.slice(start, 500) for start in range(0, 2000, 500)))
    edges = {"columns": found["columns"]}
    at_once = tally(clicks(), whole, previous=edges)

    assert found == at_once
    assert found["rows"] == 2000
    assert found["label_mean"] == pytest.approx(np.mean(whole["click"].to_numpy()))
    assert found["columns"]["device"]["missing"] == whole["device"].null_count
    assert "site-" not in json.dumps(found)


def test_other_rows_of_the_same_distribution_do_not_drift(clicks):
    for seed in range(1, 6):
        before = tally(clicks(), table(seed=100 + seed))
        now = tally(clicks(), table(seed=seed), previous=before)
        assert max(one.beyond_chance for one in drifts(before, now).values()) < 0.02


def test_a_column_that_changed_drifts_and_no_other(clicks):
    before = tally(clicks(), table())
    now = tally(clicks(), table(seed=1, shift=1.0, users=5), previous=before)
    drifted = {name for name, one in drifts(before, now).items() if one.beyond_chance > 0.25}

    assert drifted == {"price", "site"}


def test_rows_with_the_same_unique_columns_are_counted(clicks):
    facts = {**clicks().facts.model_dump(), "unique": ["site", "age"]}
    entry = clicks(facts=facts)
    rows = pa.table(
        {
            "click": [0.0, 1, 0, 1],
            "site": ["a", "b", "a", "a"],
            "device": ["x"] * 4,
            "price": [1.0] * 4,
            "age": [1.0, 1, 1, 2],
        }
    )

    assert tally(entry, rows.slice(0, 2), rows.slice(2))["duplicates"] == 1


def test_buckets_of_another_hash_are_not_compared(clicks):
    before = {**tally(clicks(), table()), "hash": "another"}
    now = tally(clicks(), table(seed=1), previous=before)

    assert set(drifts(before, now)) == {"click", "price", "age"}


def test_chunks_may_be_counted_in_any_process(clicks):
    pieces = [table(seed=seed) for seed in range(3)]
    coded = [
        piece.set_column(1, "site", piece["site"].combine_chunks().dictionary_encode())
        for piece in pieces
    ]
    found = RawTally(clicks())
    found.learn(pieces[0])
    for piece in coded:
        found.add(count(clicks(), found.edges, piece))

    assert found.finish() == tally(clicks(), *pieces)
