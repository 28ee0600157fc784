"""Breakdowns of errors, with numbers worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from autorec_core.data.schema import Examples, Field, ListField, Schema
from autorec_core.evaluation.breakdown import activity, calibration, residuals


def examples(ids: list[list[int]], labels: list[float]) -> Examples:
    return Examples(
        np.array(ids, np.int32), np.zeros((len(ids), 0), np.float32), np.array(labels, np.float32)
    )


def schema(user: str | None, item: str | None) -> Schema:
    fields = (Field("user", 4), Field("item", 4))
    return Schema("rating", "rating", fields, (), user, item, (1.0, 5.0))


# User 1 has 3 training rows, user 2 one, user 3 none; item 1 has two, items 2 and 3 one each.
KNOWN = examples([[1, 1], [1, 2], [1, 3], [2, 1]], [5, 4, 3, 2])
TEST = examples([[1, 1], [1, 0], [2, 2], [3, 1], [0, 0]], [5, 4, 3, 2, 1])
LOSSES = {"model": np.array([1.0, 3.0, 5.0, 7.0, 9.0]), "mean": np.full(5, 4.0)}


def test_the_loss_is_split_by_training_rows_of_user_and_item():
    found = activity(LOSSES, KNOWN, TEST, schema("user", "item"), seed=1)

    rows = [(row.by, row.least, row.most, row.rows, row.ids, row.loss) for row in found]
    assert rows == [
        ("user", 0, 0, 2, 1, 8.0),  # user 3, never met, and an unknown one
        ("user", 1, 1, 1, 1, 5.0),
        ("user", 2, 4, 2, 1, 2.0),
        ("item", 0, 0, 2, 0, 6.0),
        ("item", 1, 1, 1, 1, 5.0),
        ("item", 2, 4, 2, 1, 4.0),
    ]
    assert all(row.low <= row.loss <= row.high for row in found)
    assert all(row.baselines == {"mean": 4.0} for row in found)


def test_every_test_row_is_counted_once_a_column():
    found = activity(LOSSES, KNOWN, TEST, schema("user", "item"), seed=1)

    for by in ("user", "item"):
        assert sum(row.rows for row in found if row.by == by) == len(TEST)
        total = sum(row.rows * row.loss for row in found if row.by == by)
        assert total == pytest.approx(LOSSES["model"].sum())


def test_without_user_and_item_the_unknown_values_of_a_row_are_counted():
    found = activity(LOSSES, KNOWN, TEST, schema(None, None), seed=1)

    rows = [(row.by, row.least, row.rows, row.loss) for row in found]
    assert rows == [
        ("unknown values", 0, 3, pytest.approx(13 / 3)),
        ("unknown values", 1, 1, 3.0),
        ("unknown values", 2, 1, 9.0),
    ]


def test_unused_places_of_a_list_are_not_unknown_values():
    genres = ListField("genres", 5, length=2, separator="|")
    fields = dataclasses.replace(schema(None, None), lists=(genres,))
    test = examples([[1, 1, 4, 0], [2, 2, 0, 0], [0, 1, 3, 4]], [5, 4, 3])
    losses = {"model": np.array([1.0, 3.0, 5.0])}

    found = activity(losses, test, test, fields, seed=1)

    assert [(row.least, row.rows, row.loss) for row in found] == [(0, 2, 2.0), (1, 1, 5.0)]


def test_residuals_are_counted_by_label_and_none_is_lost():
    labels = np.array([1.0, 1.0, 5.0, 5.0, 5.0])
    scores = np.array([2.0, 2.0, 4.0, 4.5, 5.0])

    found = residuals(labels, scores)

    assert sum(row.rows for row in found) == 5
    (low,) = [row for row in found if row.label == 1.0]
    assert low.low <= -1.0 <= low.high
    assert low.rows == 2


def test_residuals_of_many_labels_are_counted_together():
    labels = np.linspace(0, 1, 100)

    found = residuals(labels, np.zeros(100))

    assert {row.label for row in found} == {None}
    assert sum(row.rows for row in found) == 100


def test_calibration_compares_outcomes_with_predictions_and_has_intervals():
    scores = np.repeat([0.2, 0.8], 500) + np.arange(1000) * 1e-6  # so that none tie
    labels = np.concatenate([np.arange(500) % 5 == 0, np.arange(500) % 5 != 0]).astype(float)

    found = calibration(labels, scores, seed=2)

    assert [row.rows for row in found] == [50] * 20
    for row in found:
        assert row.observed == pytest.approx(row.predicted, abs=1e-3)
        assert row.low < row.observed < row.high


def test_rows_with_the_same_score_are_one_point_of_the_calibration():
    scores = np.repeat([0.2, 0.8], 500)
    labels = np.sort(np.arange(1000) % 2).astype(float)  # all zeros, then all ones

    found = calibration(labels, scores, seed=2)

    assert [(row.predicted, row.observed, row.rows) for row in found] == [
        (pytest.approx(0.2), 0.0, 500),
        (pytest.approx(0.8), 1.0, 500),
    ]
