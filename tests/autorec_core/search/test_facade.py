import keras
import numpy as np
import pytest
from small_searches import make_recommender, make_rows

from autorec_core import Search
from autorec_core.errors import ConfigError, DataError, SearchError

TRAIN, VALID = make_rows(400, seed=1), make_rows(100, seed=2)
ARRAYS = (TRAIN.inputs["ids"], TRAIN.labels, VALID.inputs["ids"], VALID.labels)


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    params = {"max_trials": 2, "directory": tmp_path_factory.mktemp("searches"), "workers": 0}
    search = Search(model=make_recommender(), tuner="random", tuner_params=params, verbose=False)
    search.search(*ARRAYS, objective="val_mse", batch_size=32, epochs=2)
    return search


def test_it_returns_an_ordinary_keras_model_with_the_winning_score(search, tmp_path):
    assert isinstance(search.best_model, keras.Model)
    search.best_model.save(tmp_path / "winner.keras")
    loaded = keras.saving.load_model(tmp_path / "winner.keras")
    score = loaded.evaluate(VALID.inputs["ids"], VALID.labels, verbose=0, return_dict=True)["mse"]
    assert score == pytest.approx(search.leaderboard[0].score, rel=1e-5)


def test_batch_size_and_epochs_are_fixed_by_the_call(search):
    assert not any("batch_size" in trial.hyperparameters for trial in search.leaderboard)
    assert search.result.winner.training.batch_size == 32
    assert all(len(trial.curve) <= 2 for trial in search.leaderboard)


def test_it_tells_the_best_hyperparameters_by_path(search):
    assert set(search.best_hyperparameters) == {
        "mlp_interaction_1/units",
        "mlp_interaction_1/dropout_rate",
        "learning_rate",
    }


def test_arrays_may_come_by_input_name_and_labels_as_a_column(tmp_path):
    params = {"max_trials": 1, "directory": tmp_path, "workers": 0}
    search = Search(make_recommender(), tuner_params=params, verbose=False)
    x, y, x_val, y_val = ARRAYS
    model = search.search({"ids": x.astype(np.int64)}, y[:, None], {"ids": x_val}, list(y_val))
    assert model.predict(x_val, verbose=0).shape == (100, 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_trails": 3}, r"Unknown key 'max_trails'.*max_trials"),
        ({"max_trials": 0}, r"`max_trials` must be a whole number of at least 1. Received: 0"),
        ({"workers": -1}, r"`workers` must be a whole number of at least 0"),
        ({"seconds": 0}, r"`seconds` must be above 0"),
        ({"seed": "x"}, r"`seed` must be a whole number"),
    ],
)
def test_wrong_tuner_params_are_named(params, message):
    with pytest.raises(ConfigError, match=message):
        Search(make_recommender(), tuner_params=params)


def test_wrong_arguments_of_the_search_are_named(tmp_path):
    search = Search(make_recommender(), tuner_params={"directory": tmp_path}, verbose=False)
    with pytest.raises(ConfigError, match="`epochs`"):
        search.search(*ARRAYS, epochs=0)
    with pytest.raises(ConfigError, match="'val_ce' of a rating model"):
        search.search(*ARRAYS, objective="val_ce")
    with pytest.raises(DataError, match="'ids' has 399 rows"):
        search.search(ARRAYS[0][1:], *ARRAYS[1:])
    with pytest.raises(SearchError, match="call `search` first"):
        _ = search.best_model
    assert not any(tmp_path.iterdir())
