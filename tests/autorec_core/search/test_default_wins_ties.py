"""The default candidate wins unless another one is clearly better on valid."""

import io
import zipfile

import numpy as np
import pytest
from small_searches import make_recommender, make_rows

from autorec_core.search import run_search, workers
from autorec_core.training import Budget, Outcome, Schedule

VALID = make_rows(100, seed=2)
NOISE = np.random.default_rng(0).normal(size=100).astype(np.float32)


def outcome(predicted):
    """What a trial sends back whose model predicts this on the valid rows."""
    score = float(np.mean((VALID.labels - predicted) ** 2))
    row = {"step": 1, "epoch": 1, "loss": 1, "learning_rate": 0.1, "seconds": 0.0, "mse": score}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("score", repr(score))
    return Outcome(
        score=score,
        best_step=1,
        metrics={"mse": score},
        curve=(row,),
        schedule=Schedule((0.1,), 1, 64),
        seconds=1.0,
        model=content.getvalue(),
        predicted=predicted.astype(np.float32),
        stopped="plateau",
    )


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Searches among candidates that predict the labels with these errors."""

    def run(*errors, folder="searches", **settings):
        def trial(task, report=None, models=None):
            found = outcome(VALID.labels + errors[task.number])
            wanted = task.wanted_if is None or found.score < task.wanted_if
            return found if wanted else Outcome(**{**vars(found), "model": None, "predicted": None})

        monkeypatch.setattr(workers, "run_trial", trial)
        return run_search(
            make_recommender(),
            make_rows(400, seed=1),
            VALID,
            directory=tmp_path / folder,
            tuner="random",
            max_trials=len(errors),
            workers=0,
            budget=Budget(epochs=2, patience=1),
            **settings,
        )

    return run


SAME = 1 + NOISE
CLEARLY_BETTER = 0.9 * SAME
BETTER_ON_FEW = np.where(np.arange(100) == 3, 0.5, 1.0) * np.where(np.arange(100) == 4, 1.05, SAME)


def test_a_clearly_better_trial_wins(search):
    result = search(SAME, 1.1 * SAME, CLEARLY_BETTER)
    assert (result.best.number, result.leaderboard[0].number) == (2, 2)


def test_a_gain_within_one_standard_error_leaves_the_default_the_winner(search):
    gains = SAME**2 - BETTER_ON_FEW**2
    assert 0 < gains.mean() < gains.std() / 10
    result = search(SAME, BETTER_ON_FEW, 1.1 * SAME)
    assert result.best.number == 0
    assert [trial.number for trial in result.leaderboard] == [0, 1, 2]
    assert result.leaderboard[1].score < result.best.score
    with zipfile.ZipFile(result.model_path) as file:
        assert file.read("score").decode() == repr(result.best.score)


def test_that_is_so_when_the_search_goes_on_later(search):
    search(SAME, BETTER_ON_FEW)
    again = search(SAME, BETTER_ON_FEW, 1.1 * SAME)
    assert again.best.number == 0
    assert search(SAME, BETTER_ON_FEW, 1.1 * SAME, CLEARLY_BETTER).best.number == 3
    assert search(SAME, BETTER_ON_FEW).best.number == 0


def test_without_predictions_the_best_score_wins(search):
    result = search(SAME, BETTER_ON_FEW)
    for path in result.directory.glob("predictions/*.npy"):
        path.write_bytes(b"damaged")
    assert search(SAME, BETTER_ON_FEW).best.number == 1
