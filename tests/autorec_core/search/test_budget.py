"""What a search spends: no trial twice and none beyond its limits, also after an earlier run.

Trials are not trained here: each ends at once with a score that its hyperparameters decide.
"""

import io
import json
import zipfile

import pytest
from small_searches import Notes, make_recommender, make_rows

import autorec_core
from autorec_core.errors import ConfigError, SearchError
from autorec_core.search import SearchSettings, best_of, run_search, workers
from autorec_core.training import Budget, Outcome, Schedule

LABELS = make_rows(100, seed=2).labels

RATES = (0.001, 0.002, 0.003, 0.01, 0.02, 0.03)
UNITS = {4: 0.3, 8: 0.1, 16: 0.2}


def ended(task):
    """What became of a trial: its score is known without training."""
    training = task.recommender["training"]
    (mlp,) = [node["block"] for node in task.recommender["nodes"] if "units" in str(node)]
    score = UNITS[mlp["units"]] + training["learning_rate"] + mlp["dropout_rate"] / 1000
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("weights", f"{score}")
    row = {"step": 1, "epoch": 1, "loss": score, "learning_rate": 0.1, "seconds": 0.0, "mse": score}
    return Outcome(
        score=score,
        best_step=1,
        metrics={"mse": score},
        curve=(row,),
        schedule=Schedule((0.1,), 1, 64),
        seconds=2.0,
        model=content.getvalue(),
        stopped="plateau",
    )


class Trainer:
    """Takes the place of training: counts trials, and fails those it is told to."""

    def __init__(self):
        self.ran = []
        self.fails = False

    def __call__(self, task, report=None, models=None):
        assert len(self.ran) < 60, "the search runs without end"
        self.ran.append(task.number)
        return Outcome(reason="no memory", passing=True) if self.fails else ended(task)


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(workers, "run_trial", trainer)
    return trainer


@pytest.fixture
def search(tmp_path, trainer):
    """Runs a search; gives its result and the trials that it ran."""

    def run(recommender=None, **settings):
        trainer.ran.clear()
        result = run_search(
            recommender or make_recommender(learning_rate=autorec_core.choice(*RATES)),
            make_rows(40, seed=1),
            make_rows(10, seed=2),
            directory=tmp_path / "searches",
            **{
                "max_trials": 8,
                "workers": 0,
                "seed": 4,
                "budget": Budget(epochs=2, patience=1),
                **settings,
            },
        )
        return result, list(trainer.ran)

    return run


def scores(result):
    return {trial.number: trial.score for trial in result.leaderboard}


class TestAnotherNumberOfTrials:
    @pytest.mark.parametrize("tuner", ["random", "greedy", "bayesian", "hyperband"])
    def test_every_number_gives_the_best_of_so_many_and_ends(self, search, tuner):
        all_scores = scores(search(tuner=tuner)[0])
        for number in (5, 2, 1, 3, 8):
            result, ran = search(tuner=tuner, max_trials=number)
            assert scores(result) == {n: all_scores[n] for n in range(number)}
            assert len(ran) <= 1  # the winner, if its model was dropped for a better one
            assert result.model_path.exists()
        assert search(tuner=tuner)[1] == []

    @pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda p: p.write_bytes(b"PK")])
    def test_a_winner_whose_model_is_lost_or_cut_off_is_trained_once(self, search, damage):
        result, _ = search()
        damage(result.model_path)
        again, ran = search()
        assert ran == [result.best.number]
        assert again.best == result.best

    def test_a_lost_winner_that_fails_gives_way_to_the_next_best(self, search, trainer):
        result, _ = search()
        result.model_path.unlink()
        trainer.fails = True
        with pytest.raises(SearchError, match=r"model of the best trial was lost.*no memory"):
            search(max_failures=2)
        assert trainer.ran == [trial.number for trial in result.leaderboard[:2]]
        with pytest.raises(SearchError, match="was lost"):
            search(seconds=1e-9)
        assert len(trainer.ran) == 1  # one is tried, however late
        trainer.fails = False
        again, ran = search()
        assert (again.best, ran) == (result.best, [result.best.number])


class TestRecords:
    @pytest.mark.parametrize("tuner", ["random", "greedy", "bayesian", "hyperband"])
    @pytest.mark.parametrize(
        "change",
        [
            {"known": 99},
            {"known": "two"},
            {"score": None},
            {"score": float("nan")},
            {"status": "done"},
            {"epochs": 77},
            {"number": -1},
            {"schedule": None},
        ],
        ids=str,
    )
    def test_a_changed_record_neither_stops_nor_decides_the_search(self, search, tuner, change):
        before, _ = search(tuner=tuner)
        path = before.directory / "trials" / "0006.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        assert scores(search(tuner=tuner)[0]) == scores(before)

    @pytest.mark.parametrize("tuner", ["greedy", "bayesian", "hyperband"])
    def test_a_record_that_knew_too_little_does_not_hold_up_the_search(self, search, tuner):
        before, _ = search(tuner=tuner)
        path = before.directory / "trials" / "0006.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "known": 0}))
        assert len(scores(search(tuner=tuner)[0])) == 8

    @pytest.mark.parametrize("tuner", ["greedy", "bayesian", "hyperband"])
    def test_lost_records_are_made_again(self, search, tuner):
        before, _ = search(tuner=tuner)
        for number in (0, 3, 7):
            (before.directory / "trials" / f"{number:04d}.json").unlink()
        after, ran = search(tuner=tuner)
        assert scores(after) == scores(before)
        assert ran == [0, 3, 7]


class TestTime:
    def test_time_of_earlier_runs_counts(self, search):
        assert search(max_trials=3)[1] == [0, 1, 2]
        # By the trials' own clock the third has ended after two seconds at least.
        assert search(max_trials=6, seconds=1.5)[1] == []
        assert search(max_trials=4, seconds=600)[1] == [3]

    def test_a_search_that_time_has_ended_stays_as_it_is(self, search):
        assert search(seconds=1e-9)[1] == [0]
        assert search(seconds=1e-9)[1] == []


class TestNothingTwice:
    def test_settings_that_decide_nothing_make_no_trials_of_their_own(self, search):
        idle = {
            "decay": autorec_core.choice(0.1, 0.3),  # the training ends where it would decay
            "batch_size": autorec_core.choice(64, 256, 1024),  # more than there are rows
            "learning_rate": autorec_core.choice(0.01, 0.03),
        }
        result, ran = search(make_recommender(**idle), max_trials=60)
        assert len(ran) == 2 * 3 * 3  # rates, units and dropout rates
        settings = {
            (
                t.hyperparameters["learning_rate"],
                t.hyperparameters["mlp_interaction_1/units"],
                t.hyperparameters["mlp_interaction_1/dropout_rate"],
            )
            for t in result.leaderboard
        }
        assert len(settings) == len(ran)

    def test_settings_that_decide_something_do(self, search):
        live = {"decay": autorec_core.choice(0.1, 0.3), "batch_size": autorec_core.choice(8, 16)}
        budget = Budget(epochs=9, patience=2)
        _, ran = search(make_recommender(learning_rate=0.01, **live), budget=budget, max_trials=60)
        assert len(ran) == 2 * 2 * 3 * 3

    def test_hyperband_spends_no_trial_on_a_candidate_that_had_stopped(self, search):
        result, _ = search(tuner="hyperband", max_trials=12, budget=Budget(epochs=9, patience=1))
        tried = [json.dumps(dict(trial.hyperparameters)) for trial in result.leaderboard]
        assert len(set(tried)) == len(tried) == 12

    def test_the_ensemble_holds_different_models(self, search):
        result, _ = search(max_trials=6)
        first, second, third, *_ = result.leaderboard
        longer = type(first)(**{**vars(first), "number": 90, "epochs": 9, "score": 0.0})
        same_curve = type(first)(**{**vars(second), "number": 91, "hyperparameters": {"a": 1}})
        copies = type(result)(
            **{**vars(result), "leaderboard": (longer, first, second, same_curve, third)}
        )
        assert best_of(copies, 100, LABELS, ensemble=5) == (longer, second, third)
        assert best_of(copies, 100, LABELS) == (longer, second)


def test_a_setting_that_a_search_does_not_have_is_named(search):
    with pytest.raises(ConfigError, match=r"no setting 'trials'.*max_trials"):
        search(trials=3)
    for wrong in ({"max_failures": 0}, {"seconds": -1}, {"workers": 1.5}, {"max_trials": True}):
        with pytest.raises(ConfigError, match=f"`{next(iter(wrong))}` must be"):
            SearchSettings(**wrong)


def test_listeners_hear_of_a_winner_that_is_trained_again(search):
    result, _ = search()
    result.model_path.unlink()
    notes = Notes()
    search(listener=notes)
    assert notes.started == notes.ended == [result.best.number]
