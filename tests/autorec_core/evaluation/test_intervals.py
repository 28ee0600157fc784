"""Intervals cover what they should, agree with theory, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from autorec_core.evaluation import intervals
from autorec_core.evaluation.figures import loss_intervals
from autorec_core.evaluation.intervals import mean_intervals


def test_the_interval_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(1).normal(3.0, 2.0, 4000)

    found = mean_intervals(values, seed=5)[0]

    error = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_rows_put_together_in_units_keep_mean_and_width(monkeypatch):
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


def test_the_same_seed_gives_the_same_interval_and_one_row_is_its_own():
    values = np.arange(50.0)

    assert mean_intervals(values, 3) == mean_intervals(values, 3)
    assert mean_intervals(values, 3) != mean_intervals(values, 4)
    one = mean_intervals(np.array([2.5]), 3)[0]
    assert (one.mean, one.low, one.high) == (2.5, 2.5, 2.5)


def test_differences_are_paired():
    """Losses that vary much but differ by nearly a constant: only pairing sees it."""
    random = np.random.default_rng(2)
    model = random.exponential(1.0, 500)
    losses = {"model": model, "mean": model + 0.05 + random.normal(0, 0.01, 500)}

    found = loss_intervals("rating", losses, seed=3)

    assert found["loss"] == "mse"
    assert found["losses"]["model"]["high"] > found["losses"]["mean"]["low"]
    difference = found["differences"]["mean"]
    assert difference["mean"] == pytest.approx(-0.05, abs=0.005)
    assert -0.055 < difference["low"] < difference["high"] < -0.045
