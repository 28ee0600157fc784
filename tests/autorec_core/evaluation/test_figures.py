"""Figures that cannot be trusted give warnings, and none is NaN."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autorec_core.data.schema import Examples, Field, Schema
from autorec_core.errors import ConfigError
from autorec_core.evaluation.baselines import Splits
from autorec_core.evaluation.figures import evaluate
from autorec_core.metrics import task_metrics

SCHEMA = {
    task: Schema(task, "label", (Field("site", 5),), (), None, None, (0.0, 1.0))
    for task in ("ctr", "rating")
}


def rows(label):
    ids = np.random.default_rng(0).integers(0, 5, (len(label), 1)).astype(np.int32)
    return Examples(ids, np.zeros((len(label), 0), np.float32), np.asarray(label, np.float32))


def clicks(count, positives):
    return rows([1.0] * positives + [0.0] * (count - positives))


def outcome(task, test, scores):
    splits = Splits(clicks(200, 60), clicks(50, 15), test, SCHEMA[task], seed=1, refit=False)
    return evaluate(np.asarray(scores), splits)


def test_an_auc_that_cannot_be_computed_gives_a_warning_and_is_left_out():
    found = outcome("ctr", clicks(50, 0), np.full(50, 0.2))

    assert set(found.figures["model"]) == {"ce", "calibration"}
    assert any("AUC cannot be computed: no test row has label 1" in one for one in found.warnings)
    assert "NaN" not in json.dumps(found.figures)


def test_an_auc_of_five_clicks_gives_a_warning():
    found = outcome("ctr", clicks(500, 5), np.linspace(0.02, 0, 500))

    assert found.figures["model"]["auc"] == 1.0
    assert any("says little: only 5 test rows have label 1" in one for one in found.warnings)


def test_an_almost_perfect_model_gives_a_warning():
    test = clicks(200, 50)

    assert any("almost perfect" in one for one in outcome("ctr", test, test.label).warnings)
    assert any("almost all of it" in one for one in outcome("rating", test, test.label).warnings)


def test_an_ordinary_model_gives_no_warning():
    test = clicks(200, 50)
    scores = 0.25 + 0.2 * (test.label - 0.25) * (np.arange(200) % 3)

    assert outcome("ctr", test, scores).warnings == ()


def test_a_model_that_is_not_better_than_the_mean_gives_a_warning():
    found = outcome("ctr", clicks(200, 60), np.full(200, 0.9))

    assert found.warning.startswith(
        "The model is not better than predicting the mean: its test CE "
    )


def test_metrics_that_cannot_be_computed_are_left_out():
    assert "auc" not in task_metrics("ctr", np.zeros(5), np.full(5, 0.5))
    assert "auc" in task_metrics("ctr", np.array([0, 1.0]), np.array([0.1, 0.2]))


def test_a_search_for_an_auc_that_valid_cannot_have_is_refused():
    from autorec_core import zoo
    from autorec_core.training import Budget, Rows, train

    known = Rows(clicks(80, 20).inputs(), clicks(80, 20).label)
    valid = Rows(clicks(20, 0).inputs(), clicks(20, 0).label)
    recommender = zoo.build("mlp", SCHEMA["ctr"])

    with pytest.raises(ConfigError, match="val_auc cannot be computed: the 20 valid rows"):
        train(recommender, known, valid, budget=Budget(1, 1), seed=1, objective="val_auc")
