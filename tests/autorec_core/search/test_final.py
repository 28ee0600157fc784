"""The model that a search ends in: the best candidates, refitted, averaged."""

import keras
import numpy as np
import pytest
from small_searches import make_rows

from autorec_core.search import final as module
from autorec_core.search import finish
from autorec_core.training import Budget, predict

TRAIN, VALID = make_rows(400, seed=1), make_rows(100, seed=2)


def finished(result, **settings):
    return finish(result, TRAIN, VALID, budget=Budget(epochs=2, patience=1), seed=4, **settings)


@pytest.fixture
def result(search):
    return search()


def test_the_mean_of_the_best_is_one_keras_file(result, tmp_path):
    alone = finished(result, refitting=False, ensemble=1)
    several = finished(result, refitting=False, ensemble=2)
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
    refitted = finished(result, ensemble=2)
    plain = finished(result, refitting=False, ensemble=2)
    assert refitted.refitted
    assert not plain.refitted
    assert not np.array_equal(
        predict(refitted.model, VALID.inputs), predict(plain.model, VALID.inputs)
    )


def test_few_rows_average_the_better_half_many_rows_take_the_winner(result, monkeypatch):
    assert len(finished(result).members) == 2
    monkeypatch.setattr(module, "SMALL", 400)
    assert finished(result).members == (result.best,)
