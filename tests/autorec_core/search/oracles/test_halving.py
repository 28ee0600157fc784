"""Successive halving: who trains how long, and what is left of it.

Trials are trained in the tests of `TestTrained` alone; elsewhere each has a curve that its
hyperparameters decide.
"""

import json

import pytest
from pretended_training import EPOCHS, found, unzipped
from small_searches import Notes, make_recommender, make_rows

from autorec_core.search import run_search
from autorec_core.search.oracles.halving import rungs
from autorec_core.training import Budget, Limits, train


def test_rungs_are_a_27th_a_ninth_a_third_and_all():
    assert rungs(60) == (3, 7, 20, 60)
    assert rungs(27) == (1, 3, 9, 27)
    assert rungs(5) == (1, 2, 5)
    assert rungs(1) == (1,)


class TestHalving:
    def test_the_default_trains_to_its_end_first(self, search):
        result, ran = search(max_trials=1)
        assert ran == [(0, 0, EPOCHS)]
        assert (result.best.spent, result.best.stopped) == (EPOCHS, "all epochs")

    def test_the_best_third_of_a_rung_goes_on_from_where_it_stopped(self, search, trainer):
        trainer.plateaus = False
        result, ran = search()
        ends = {EPOCHS, 1, 3, 9}
        assert {until for _, _, until in ran} <= ends
        assert all(began == {1: 0, 3: 1, 9: 3, EPOCHS: 9}[u] for n, began, u in ran if n)
        levels = {n: score - 1 / spent for n, (_, score, _, spent, *_) in found(result).items()}
        spent = {n: values[3] for n, values in found(result).items()}
        longer = {n for n in spent if spent[n] > 1}
        best_third = set(sorted(levels, key=levels.get)[:4])
        assert best_third <= longer

    def test_the_winner_is_trained_to_its_end(self, search):
        for seed in range(3):
            result, _ = search(seed=seed)
            assert result.best.stopped != "paused"

    def test_what_has_stopped_is_not_gone_on_with(self, search):
        result, ran = search(max_trials=18)
        early = [t.number for t in result.leaderboard if t.stopped == "plateau"]
        assert early
        for number in early:
            parts = [(began, until) for n, began, until in ran if n == number]
            assert [part for part in parts if part[0] >= 2] == []

    def test_max_trials_counts_candidates(self, search):
        result, ran = search(max_trials=9)
        assert [t.number for t in sorted(result.leaderboard, key=lambda t: t.number)] == [*range(9)]
        assert len(ran) > 9
        tried = {json.dumps(dict(trial.hyperparameters)) for trial in result.leaderboard}
        assert len(tried) == 9

    def test_it_spends_less_than_training_all_of_them(self, search):
        result, _ = search(max_trials=18)
        spent = sum(trial.spent for trial in result.leaderboard)
        assert spent < 18 * EPOCHS / 3
        assert sum(trial.seconds for trial in result.leaderboard) == spent

    def test_a_space_that_is_exhausted_ends_it(self, search):
        result, _ = search(max_trials=500)
        assert len(result.leaderboard) == 6 * 3 * 3
        assert result.best.score == min(t.score for t in result.leaderboard)
        assert result.best.hyperparameters["mlp_interaction_1/units"] == 8

    def test_records_say_what_each_trial_has_spent(self, search):
        result, _ = search()
        for trial in result.leaderboard:
            name = f"{trial.number:04d}-{trial.until:05d}.json"
            on_disk = json.loads((result.directory / "trials" / name).read_text())
            assert (on_disk["spent"], on_disk["seconds"]) == (trial.spent, trial.seconds)
            assert len(on_disk["curve"]) == trial.spent

    def test_listeners_hear_of_each_row_once_and_of_each_end_once(self, search):
        notes = Pauses()
        result, ran = search(listener=notes)
        assert sorted(notes.ended) == list(range(12))
        assert len(notes.started) == len(ran)
        rows = [(t.number, step) for t in result.leaderboard for step in range(1, len(t.curve) + 1)]
        assert sorted(notes.rows) == sorted(rows)
        assert notes.paused

    def test_the_model_is_that_of_the_score(self, search):
        for seed in range(2):
            result, _ = search(seed=seed)
            assert unzipped(result.model_path.read_bytes()) == repr(result.best.score)
            assert list(result.directory.glob("model-*")) == [result.model_path]


class Pauses(Notes):
    def __init__(self):
        super().__init__()
        self.paused = []

    def on_trial_pause(self, trial):
        self.paused.append(trial.number)


class TestTrained:
    """With real training."""

    BUDGET = Budget(epochs=9, patience=4)
    TRAIN, VALID = make_rows(400, seed=1), make_rows(100, seed=2)

    def search(self, folder, **settings):
        return run_search(
            make_recommender(decay=0.3),
            self.TRAIN,
            self.VALID,
            directory=folder,
            **{
                "tuner": "halving",
                "max_trials": 6,
                "budget": self.BUDGET,
                "seed": 4,
                "workers": 0,
                **settings,
            },
        )

    def test_a_paused_and_promoted_trial_is_one_that_never_paused(self, tmp_path):
        result = self.search(tmp_path)
        promoted = [t for t in result.leaderboard if t.number and t.spent > 1]
        assert promoted
        for trial in promoted:
            alone = train(
                result.candidate(trial),
                self.TRAIN,
                self.VALID,
                budget=self.BUDGET,
                seed=4,
                limits=Limits(until=trial.until),
            )
            assert (alone.score, alone.best_step, alone.schedule) == (
                trial.score,
                trial.best_step,
                trial.schedule,
            )

    @pytest.mark.slow
    def test_worker_processes_find_what_this_process_finds(self, tmp_path):
        here = self.search(tmp_path / "here")
        there = self.search(tmp_path / "there", workers=1)
        both = [sorted(r.leaderboard, key=lambda trial: trial.number) for r in (here, there)]
        for one, other in zip(*both, strict=True):
            assert one.score == pytest.approx(other.score, rel=1e-4)
            assert (one.spent, one.stopped) == (other.spent, other.stopped)
