"""Intervals have the right coverage, agree with theory, and only depend on the seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autorec_core.evaluation import intervals
from autorec_core.evaluation.figures import loss_intervals
from autorec_core.evaluation.intervals import clusters_of, mean_intervals


def test_the_interval_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(1).normal(3.0, 2.0, 4000)

    found = mean_intervals(values, seed=5)[0]

    error = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_combining_rows_into_units_keeps_mean_and_width(monkeypatch):
    values = np.random.default_rng(1).exponential(2.0, 6001)
    apart = mean_intervals(values, seed=5)[0]

    monkeypatch.setattr(intervals, "UNITS", 1500)
    together = mean_intervals(values, seed=5)[0]

    assert together.mean == pytest.approx(apart.mean)
    assert together.high - together.low == pytest.approx(apart.high - apart.low, rel=0.1)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(3)
    covered = [
        found.low <= 0.5 <= found.high
        for found in (mean_intervals(random.random(200), seed=7)[0] for _ in range(100))
    ]

    assert 0.88 <= np.mean(covered) <= 1.0


def test_the_same_seed_gives_the_same_interval_and_one_row_has_no_width():
    values = np.arange(50.0)

    assert mean_intervals(values, 3) == mean_intervals(values, 3)
    assert mean_intervals(values, 3) != mean_intervals(values, 4)
    one = mean_intervals(np.array([2.5]), 3)[0]
    assert (one.mean, one.low, one.high) == (2.5, 2.5, 2.5)


def test_differences_are_paired():
    """Losses vary much, but their difference is nearly constant: pairing must show that."""
    random = np.random.default_rng(2)
    model = random.exponential(1.0, 500)
    losses = {"model": model, "mean": model + 0.05 + random.normal(0, 0.01, 500)}

    found = loss_intervals("rating", losses, seed=3)

    assert found["loss"] == "mse"
    assert found["losses"]["model"]["high"] > found["losses"]["mean"]["low"]
    difference = found["differences"]["mean"]
    assert difference["mean"] == pytest.approx(-0.05, abs=0.005)
    assert -0.055 < difference["low"] < difference["high"] < -0.045


def test_rows_of_a_cluster_are_drawn_together():
    """Twenty clusters of 100 equal rows have the same interval as twenty rows."""
    values = np.random.default_rng(4).normal(0, 1, 20)
    clusters = np.repeat(np.arange(20), 100)

    rows = mean_intervals(values, seed=5)[0]
    together = mean_intervals(values[clusters], seed=5, clusters=clusters)[0]

    assert together.mean == pytest.approx(rows.mean)
    assert (together.low, together.high) == pytest.approx((rows.low, rows.high))


def test_few_clusters_cover_the_truth_as_often_as_many_rows():
    random = np.random.default_rng(5)
    clusters = np.repeat(np.arange(12), 30)

    def covers():
        values = random.normal(0, 1, 12)[clusters] + random.normal(0, 1, 360)
        found = mean_intervals(values, 7, clusters=clusters)[0]
        return found.low <= 0 <= found.high

    assert np.mean([covers() for _ in range(200)]) >= 0.9


def test_a_column_may_be_the_mean_of_some_rows():
    values = np.random.default_rng(6).normal(0, 1, (500, 2))
    counted = np.stack([np.arange(500) < 100, np.arange(500) >= 100], axis=1)

    first, second = mean_intervals(values, 5, counted=counted)

    assert first.mean == pytest.approx(values[:100, 0].mean())
    assert second.mean == pytest.approx(values[100:, 1].mean())
    assert first.high - first.low > 1.5 * (second.high - second.low)


def test_each_row_without_a_cluster_is_its_own_cluster():
    found = clusters_of(pd.Series(["a", None, "b", "a", None]))

    assert len(set(found.tolist())) == 4
    assert found[0] == found[3]
