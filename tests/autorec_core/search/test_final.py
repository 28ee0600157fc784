"""The model that a search ends in: the best candidates, refitted, averaged."""

import warnings

import keras
import numpy as np
import pytest
from small_searches import make_rows

from autorec_core.metrics import METRICS
from autorec_core.search import best_of, finish
from autorec_core.search.ensemble import select
from autorec_core.search.final import SEED_STEP
from autorec_core.training import Budget, predict

BUDGET = Budget(epochs=2, patience=1)
TRAIN, VALID = make_rows(400, seed=1), make_rows(100, seed=2)


def finished(result, members, **settings):
    chosen = result.leaderboard[:members]
    return finish(result, chosen, TRAIN, VALID, budget=BUDGET, seed=4, **settings)


@pytest.fixture
def result(search):
    return search()


def test_the_mean_of_the_best_is_one_keras_file(result, tmp_path):
    alone = finished(result, 1, refitting=False)
    several = finished(result, 2, refitting=False)
    assert several.members == result.leaderboard[:2]
    assert alone.members == result.leaderboard[:1]
    several.model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # members that store an optimizer of their own would warn
        keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    predicted = predict(several.model, VALID.inputs)
    np.testing.assert_array_equal(predict(loaded, VALID.inputs), predicted)
    assert loaded.loss.name == "mse"
    first = predict(alone.model, VALID.inputs)
    second = 2 * predicted - first
    found = float(np.mean((second - VALID.labels) ** 2))
    assert found == pytest.approx(result.leaderboard[1].score, rel=1e-4)


def test_members_learn_from_valid_too(result):
    refitted = finished(result, 2)
    plain = finished(result, 2, refitting=False)
    assert refitted.refitted
    assert not plain.refitted
    assert not np.array_equal(
        predict(refitted.model, VALID.inputs), predict(plain.model, VALID.inputs)
    )


def test_few_rows_average_the_better_half(result):
    assert best_of(result, 49_999, VALID.labels) == result.leaderboard[:2]
    assert best_of(result, 49_999, VALID.labels, ensemble=1) == (result.best,)


def test_trials_are_selected_by_the_mean_of_their_predictions_of_the_valid_rows(result):
    predictions = [result.predictions(trial) for trial in result.leaderboard]
    for trial, predicted in zip(result.leaderboard, predictions, strict=True):
        found = float(np.mean((predicted - VALID.labels) ** 2))
        assert found == pytest.approx(trial.score, rel=1e-5)

    members = best_of(result, 50_000, VALID.labels, ensemble=4)
    chosen = select(result.metric, VALID.labels, predictions, 4)

    assert len(members) == 4
    assert members[: len(chosen)] == tuple(result.leaderboard[place] for place in chosen)
    assert best_of(result, 50_000, VALID.labels, ensemble=1) == (result.best,)


def test_refits_need_at_most_half_of_the_epochs_of_the_search(result):
    members = best_of(result, 50_000, VALID.labels)

    epochs = sum(trial.schedule.epochs for trial in members)
    assert len(members) == 1 or epochs <= 0.5 * sum(trial.spent for trial in result.leaderboard)


def test_without_its_predictions_the_winner_stands_alone(result):
    for path in (result.directory / "predictions").iterdir():
        path.write_bytes(b"damaged")

    assert best_of(result, 50_000, VALID.labels, ensemble=3) == (result.best,)


def test_greedy_selection_gives_a_better_pair_more_weight():
    labels = np.array([0.0, 0.0])
    # The first is best alone. Three times the first and once the second is (3 * 2 - 6) / 4 = 0.
    predictions = [np.array([2.0, -2.0]), np.array([-6.0, 6.0]), np.array([9.0, 9.0])]

    assert select(METRICS["mse"], labels, predictions, 9) == [0, 0, 1, 0]
    assert select(METRICS["mse"], labels, predictions, 2) == [0]


def test_a_trial_that_is_chosen_twice_is_trained_with_two_seeds(result):
    best = result.best
    made = finish(result, [best, best], TRAIN, VALID, budget=BUDGET, seed=4).model
    alone = finish(result, [best], TRAIN, VALID, budget=BUDGET, seed=4).model
    other = finish(result, [best], TRAIN, VALID, budget=BUDGET, seed=4 + SEED_STEP).model

    first, second = (predict(model, VALID.inputs) for model in (alone, other))
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(predict(made, VALID.inputs), (first + second) / 2, rtol=1e-5)


def test_members_that_make_a_row_too_slow_are_left_out(result):
    members = result.leaderboard[:2]

    def made(most):
        return finish(
            result, members, TRAIN, VALID, budget=BUDGET, seed=4, max_latency_ms=most
        ).members

    assert made(1e-9) == members[:1]
    assert made(1e9) == members
