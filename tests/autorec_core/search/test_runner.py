import csv
import json
import logging

import numpy as np
import pytest
import strange_blocks
from pretended_training import Trainer
from small_searches import Notes, make_recommender, make_rows

import autorec_core
from autorec_core.errors import ConfigError, SearchError
from autorec_core.search import run_search, workers
from autorec_core.training import Budget, evaluate


@pytest.fixture
def pretended(monkeypatch):
    """No trial is trained: each has a curve that its hyperparameters decide."""
    monkeypatch.setattr(workers, "run_trial", Trainer())


def told(result):
    """What a search has found, by trial."""
    return {
        trial.number: (dict(trial.hyperparameters), trial.score) for trial in result.leaderboard
    }


@pytest.fixture(scope="module")
def notes():
    return Notes()


@pytest.fixture(scope="module")
def result(notes, tmp_path_factory):
    return run_search(
        make_recommender(),
        make_rows(400, seed=1),
        make_rows(100, seed=2),
        directory=tmp_path_factory.mktemp("searches"),
        tuner="random",
        max_trials=4,
        budget=Budget(epochs=3, patience=3),
        seed=4,
        workers=0,
        listener=notes,
    )


class TestSearch:
    def test_the_first_trial_has_the_defaults(self, result):
        assert told(result)[0][0] == {
            "mlp_interaction_1/units": 4,
            "mlp_interaction_1/dropout_rate": 0.5,
            "learning_rate": 0.01,
        }

    def test_no_candidate_is_tried_twice(self, result):
        tried = [tuple(trial.hyperparameters.values()) for trial in result.leaderboard]
        assert len(set(tried)) == len(tried) == 4

    def test_the_leaderboard_has_the_best_first(self, result):
        scores = [trial.score for trial in result.leaderboard]
        assert scores == sorted(scores)
        assert result.best is result.leaderboard[0]

    def test_the_model_is_the_best_trial_s_to_the_last_digit(self, result):
        model = result.load_model()
        assert evaluate(model, make_rows(100, seed=2), "rating")["mse"] == result.best.score

    def test_the_winner_is_resolved_to_the_best_hyperparameters(self, result):
        (mlp,) = [b for n, b in result.winner.blocks().items() if n == "mlp_interaction_1"]
        assert mlp.units == result.best.hyperparameters["mlp_interaction_1/units"]
        assert result.winner.training.learning_rate == result.best.hyperparameters["learning_rate"]

    def test_only_the_models_of_the_best_and_of_the_default_are_kept_and_no_data(self, result):
        kept = {path.name for path in result.directory.glob("*.keras")}
        assert kept == {"model-0000.keras", result.model_path.name}
        assert not (result.directory / "data").exists()

    def test_tables_for_people_and_plots_are_written(self, result):
        with (result.directory / "leaderboard.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["trial"]) for row in rows] == [t.number for t in result.leaderboard]
        assert float(rows[0]["score"]) == result.best.score
        assert json.loads(rows[0]["hyperparameters"]) == result.best.hyperparameters
        with (result.directory / "curves.csv").open(newline="") as file:
            curve = [row for row in csv.DictReader(file) if row["trial"] == "0"]
        assert [float(row["objective"]) for row in curve] == [
            row["mse"] for trial in result.leaderboard if trial.number == 0 for row in trial.curve
        ]

    def test_listeners_hear_every_event_once_and_in_order(self, result, notes):
        assert notes.plan.max_trials == 4
        assert notes.started == notes.ended == [0, 1, 2, 3]
        assert notes.rows == [(trial, step) for trial in range(4) for step in (1, 2, 3)]
        assert notes.result is result

    def test_it_tells_what_the_mean_would_have_scored(self, result):
        mean = make_rows(400, seed=1).labels.mean(dtype=np.float64)
        labels = make_rows(100, seed=2).labels
        assert result.constant_score == pytest.approx(np.mean((labels - mean) ** 2))
        assert result.warning is None


class Stopping(Notes):
    """Notes events, and ends a search that starts more trials than it should."""

    def __init__(self, most):
        super().__init__()
        self._most = most

    def on_trial_start(self, trial):
        super().on_trial_start(trial)
        assert len(self.started) <= self._most


@pytest.mark.usefixtures("pretended")
class TestGoingOn:
    """What is kept and run again does not depend on how a trial trains."""

    def test_a_finished_search_is_not_run_again(self, search):
        first, notes = search(), Notes()
        again = search(listener=notes)
        assert told(again) == told(first)
        assert again.model_path == first.model_path
        assert notes.started == []
        assert [trial.number for trial in notes.plan.finished] == [0, 1, 2]

    @pytest.mark.parametrize("tuner", ["random", "greedy", "bayesian"])
    def test_more_trials_continue_it(self, search, tmp_path, tuner):
        notes = Notes()
        search(tuner=tuner, max_trials=5)
        extended = search(tuner=tuner, max_trials=7, listener=notes)
        assert notes.started == [5, 6]
        afresh = search(tuner=tuner, max_trials=7, directory=tmp_path / "other")
        assert told(extended) == told(afresh)

    def test_a_trial_that_was_interrupted_is_run_again(self, search):
        first, notes = search(), Notes()
        path = first.directory / "trials" / "0001.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "status": "running", "score": None}))
        assert told(search(listener=notes)) == told(first)
        assert notes.started == [1]

    def test_a_damaged_record_is_set_aside_with_a_warning(self, search, caplog):
        first, notes = search(), Notes()
        path = first.directory / "trials" / "0002.json"
        path.write_text(path.read_text()[:40])
        with caplog.at_level(logging.WARNING):
            assert told(search(listener=notes)) == told(first)
        assert notes.started == [2]
        assert "0002.json is set aside as 0002.set-aside" in caplog.text

    def test_a_record_of_something_else_is_set_aside(self, search, caplog):
        first, notes = search(), Notes()
        path = first.directory / "trials" / "0001.json"
        record = json.loads(path.read_text())
        record["hyperparameters"]["learning_rate"] = 0.5
        path.write_text(json.dumps(record))
        with caplog.at_level(logging.WARNING):
            assert told(search(listener=notes)) == told(first)
        assert notes.started == [1]
        assert "proposes something else" in caplog.text

    def test_another_seed_space_or_budget_is_another_search(self, search):
        first = search(max_trials=1)
        others = [
            search(max_trials=1, seed=5),
            search(max_trials=1, budget=Budget(epochs=1, patience=1)),
            search(make_recommender(learning_rate=0.02), max_trials=1),
        ]
        assert len({r.directory for r in [first, *others]}) == 4

    def test_overwriting_forgets_this_search_alone(self, search):
        kept, notes = search(seed=5, max_trials=1), Notes()
        search(max_trials=1)
        search(max_trials=1, overwrite=True, listener=notes)
        assert notes.started == [0]
        assert kept.model_path.exists()

    def test_a_folder_that_no_search_has_made_is_left_alone(self, search):
        folder = search(max_trials=1).directory
        (folder / "autorec-search.json").unlink()
        with pytest.raises(SearchError, match=r"is not the folder of a search"):
            search(max_trials=1, overwrite=True)
        assert (folder / "trials").exists()


class TestModels:
    """With real training: a search always ends with its model, even if files were lost."""

    def test_a_lost_model_is_trained_again(self, search):
        first = search()
        first.model_path.unlink()
        again = search()
        assert told(again) == told(first)
        assert again.load_model().count_params() > 0

    def test_fewer_trials_than_before_keep_the_best_of_those(self, search):
        notes = Stopping(6)
        whole = search(max_trials=6)
        scores = told(whole)
        (whole.directory / "model-0000.keras").unlink()  # that of the default is kept otherwise
        best = min(scores, key=lambda number: scores[number][1])
        assert best > 0  # so that there is a number of trials that the best is not among
        fewer = search(max_trials=best, listener=notes)
        assert told(fewer) == {number: scores[number] for number in range(best)}
        assert notes.started == [fewer.best.number]  # its model had been dropped for a better one
        assert len(notes.plan.finished) == best
        assert evaluate(fewer.load_model(), make_rows(100, seed=2), "rating")["mse"] == (
            fewer.best.score
        )
        with (fewer.directory / "leaderboard.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == best
        for number in (best, 6):
            again = Stopping(6)
            search(max_trials=number, listener=again)
            assert again.started == []


class TestTrouble:
    def test_a_failed_trial_is_recorded_with_its_reason_and_the_search_goes_on(self, search):
        rates = autorec_core.choice(1e30, 0.01, 0.02)
        result = search(make_recommender(learning_rate=rates), max_trials=4)
        failed = [trial for trial in result.leaderboard if trial.status == "failed"]
        assert 0 in [trial.number for trial in failed]
        assert all("the training loss became" in trial.reason for trial in failed)
        assert result.leaderboard[-1] is failed[-1]
        assert result.best.score is not None

    def test_too_many_failures_in_a_row_stop_it_and_say_why(self, search):
        with pytest.raises(SearchError, match=r"2 trials in a row .* the training loss became nan"):
            search(make_recommender(learning_rate=1e30), max_failures=2, max_trials=9)

    def test_a_shape_that_does_not_fit_is_a_failed_trial(self, search):
        block = strange_blocks.StrangeInteraction(mood=autorec_core.choice("calm", "wrong"))
        result = search(make_recommender(block), max_trials=6, max_failures=6)
        reasons = {
            trial.hyperparameters["strange_interaction_1/mood"]: trial.reason
            for trial in result.leaderboard
        }
        assert reasons["calm"] is None
        assert "the model cannot be built" in reasons["wrong"]

    def test_a_bug_is_not_a_failed_trial(self, search):
        block = strange_blocks.StrangeInteraction(mood="buggy")
        with pytest.raises(AttributeError, match="no_such_attribute"):
            search(make_recommender(block))

    def test_a_winner_no_better_than_the_mean_is_said_so(self, search, caplog):
        with caplog.at_level(logging.WARNING):
            result = search(make_recommender(learning_rate=1e-12), max_trials=1)
        assert "not better than always predicting the mean" in result.warning
        assert result.warning in caplog.text

    def test_no_trial_starts_after_the_time_is_up(self, search):
        result = search(seconds=1e-9, max_trials=9)
        assert len(result.leaderboard) == 1

    def test_unknown_tuners_and_objectives_are_refused(self, search):
        with pytest.raises(
            ConfigError, match=r"'grid'.*bayesian, given, greedy, halving.*random, staged"
        ):
            search(tuner="grid")
        with pytest.raises(ConfigError, match=r"'val_auc' of a rating model"):
            search(objective="val_auc")

    def test_an_exhausted_space_ends_the_search(self, search):
        mlp = autorec_core.MLPInteraction(
            units=4, num_layers=1, use_batch_norm=False, dropout_rate=0.0
        )
        rates = autorec_core.choice(0.01, 0.03)
        result = search(make_recommender(mlp, learning_rate=rates), max_trials=9)
        assert len(result.leaderboard) == 2
