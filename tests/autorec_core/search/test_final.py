"""The model that a search ends in: the best candidates, refitted, averaged."""

import keras
import numpy as np
import pytest
from small_searches import make_rows

from autorec_core.search import best_of, finish
from autorec_core.training import Budget, predict

TRAIN, VALID = make_rows(400, seed=1), make_rows(100, seed=2)


def finished(result, members, **settings):
    chosen = result.leaderboard[:members]
    budget = Budget(epochs=2, patience=1)
    return finish(result, chosen, TRAIN, VALID, budget=budget, seed=4, **settings)


@pytest.fixture
def result(search):
    return search()


def test_the_mean_of_the_best_is_one_keras_file(result, tmp_path):
    alone = finished(result, 1, refitting=False)
    several = finished(result, 2, refitting=False)
    assert several.members == result.leaderboard[:2]
    assert alone.members == result.leaderboard[:1]
    several.model.save(tmp_path / "model.keras")
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


def test_few_rows_average_the_better_half_many_rows_take_the_winner(result):
    assert best_of(result, 49_999) == result.leaderboard[:2]
    assert best_of(result, 50_000) == (result.best,)
    assert best_of(result, 50_000, ensemble=3) == result.leaderboard
