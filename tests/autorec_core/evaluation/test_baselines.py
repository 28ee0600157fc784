"""Baselines choose their regularisation on valid, and train only on the rows they may use."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from autorec_core.data.schema import Examples, Field, Schema
from autorec_core.evaluation.baselines import (
    BASELINES,
    Splits,
    choose,
    predict_biases,
    predict_logistic,
)
from autorec_core.metrics import ce, mse

USERS = 300


def schema(task):
    return Schema(task, "label", (Field("user", USERS + 1),), (), "user", None, (-9.0, 9.0))


def rows(random, count, effects, noise):
    """Makes ratings: the effect of the user, and noise."""
    users = random.integers(1, USERS + 1, (count, 1)).astype(np.int32)
    label = effects[users[:, 0]] + random.normal(0, noise, count)
    return Examples(users, np.zeros((count, 0), np.float32), label.astype(np.float32))


def clicks(random, count, effects):
    users = random.integers(1, USERS + 1, (count, 1)).astype(np.int32)
    label = random.random(count) < 1 / (1 + np.exp(-effects[users[:, 0]]))
    return Examples(users, np.zeros((count, 0), np.float32), label.astype(np.float32))


def ratings(noise):
    random = np.random.default_rng(1)
    effects = random.normal(0, 1, USERS + 1)
    parts = [rows(random, count, effects, noise) for count in (3000, 1000, 1000)]
    return Splits(*parts, schema("rating"), seed=1, refit=False)


def clicking(strength):
    random = np.random.default_rng(2)
    effects = random.normal(0, strength, USERS + 1)
    parts = [clicks(random, count, effects) for count in (6000, 2000, 2000)]
    return Splits(*parts, schema("ctr"), seed=1, refit=False)


def test_noisy_ratings_are_damped_more():
    # With noise of variance v and effects of variance 1, the best damping is v.
    quiet, loud = (BASELINES["bias"].predict(ratings(noise)).chosen for noise in (0.5, 5.0))

    assert quiet["damping"] <= 1.25
    assert 10 <= loud["damping"] <= 80


@pytest.mark.parametrize("strength", [0.1, 3.0])
def test_the_logistic_regression_is_as_good_as_the_best_strength(strength):
    splits = clicking(strength)
    found = BASELINES["logistic"].predict(splits)

    def loss(inverse_strength):
        scores = predict_logistic(
            splits.train, splits.test, splits.schema, 1, inverse_strength=inverse_strength
        )
        return ce(splits.test.label, scores)

    least = min(loss(each) for each in (0.001, 0.01, 0.1, 1.0, 10.0))
    assert ce(splits.test.label, found.scores) <= 1.01 * least
    assert (found.chosen["C"] > 0.1) == (strength == 3.0)


def test_the_strength_is_chosen_on_a_fine_grid():
    # With effects of strength 1, the loss between two powers of √10 is lower than at both.
    splits = clicking(1.0)

    def loss(inverse_strength):
        scores = predict_logistic(
            splits.train, splits.valid, splits.schema, 1, inverse_strength=inverse_strength
        )
        return ce(splits.valid.label, scores)

    found = BASELINES["logistic"].predict(splits).chosen["C"]

    assert loss(found) <= min(loss(10 ** (step / 8)) for step in range(-8, 9))


@pytest.mark.parametrize("name", ["bias", "logistic"])
def test_the_choice_does_not_read_the_test_labels(name):
    splits = ratings(1.0) if name == "bias" else clicking(1.0)
    blind = dataclasses.replace(splits.test, label=1 - splits.test.label)

    found, again = (
        BASELINES[name].predict(one) for one in (splits, dataclasses.replace(splits, test=blind))
    )

    assert found.chosen == again.chosen
    np.testing.assert_array_equal(found.scores, again.scores)


def test_with_refit_a_baseline_learns_from_valid_rows_too():
    splits = ratings(1.0)
    both = dataclasses.replace(splits, refit=True)

    found = BASELINES["bias"].predict(both)

    known = Examples.joined(splits.train, splits.valid)
    expected = predict_biases(known, splits.test, splits.schema, damping=found.chosen["damping"])
    np.testing.assert_array_equal(found.scores, expected)
    assert mse(splits.test.label, found.scores) < mse(
        splits.test.label, BASELINES["bias"].predict(splits).scores
    )


def test_clicks_of_a_single_class_are_predicted_by_their_mean():
    splits = clicking(1.0)
    train = dataclasses.replace(splits.train, label=np.zeros(len(splits.train), np.float32))

    found = BASELINES["logistic"].predict(dataclasses.replace(splits, train=train))

    assert found.scores.tolist() == [0.0] * len(splits.test)
    assert found.chosen == {}


@pytest.mark.parametrize(("least", "start"), [(1.0, 4.0), (4.0, 4.0), (16.0, 4.0), (16.0, 1.0)])
def test_the_best_candidate_is_found_on_either_side(least, start):
    asked = []

    def loss(candidate):
        asked.append(candidate)
        return abs(candidate - least)

    assert choose((1.0, 2.0, 4.0, 8.0, 16.0), start, loss) == least
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("least", [0.0, 3.0, 501.0, 999.0])
def test_a_choice_from_many_candidates_is_exact_and_cheap(least):
    asked = []

    def loss(candidate):
        asked.append(candidate)
        return abs(candidate - least)

    assert choose(tuple(float(each) for each in range(1000)), 500.0, loss) == least
    assert len(asked) <= 500 / 8 + 12
