"""Successive halving and pruning: who trains how long, and that no interruption changes it.

Trials are trained in the tests of `TestTrained` alone; elsewhere each has a curve that its
hyperparameters decide.
"""

import io
import json
import zipfile

import pytest
from small_searches import Notes, make_recommender, make_rows

import autorec_core
from autorec_core.metrics import METRICS
from autorec_core.search import run_search, workers
from autorec_core.search.oracles.halving import rungs
from autorec_core.search.pruning import MedianRule
from autorec_core.training import Budget, Limits, Outcome, Schedule, train

RATES = (0.001, 0.002, 0.003, 0.01, 0.02, 0.03)
UNITS = {4: 0.3, 8: 0.1, 16: 0.2}
EPOCHS = 27


def zipped(text):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("text", text)
    return content.getvalue()


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return file.read("text").decode()


def level(task):
    """What a trial's score tends to; the best has 8 units and the least rate."""
    (mlp,) = [node["block"] for node in task.recommender["nodes"] if "units" in str(node)]
    rate = task.recommender["training"]["learning_rate"]
    return UNITS[mlp["units"]] + rate + mlp["dropout_rate"] / 1000


class Trainer:
    """Takes the place of training: each epoch brings a score nearer to its level.

    Those of 16 units plateau in their second epoch.
    """

    def __init__(self):
        self.ran = []
        self.dies_before = None
        self.plateaus = True

    def __call__(self, task, report=None):
        assert len(self.ran) < 200, "the search runs without end"
        if len(self.ran) == self.dies_before:
            raise KeyboardInterrupt
        aim = level(task)
        began = 0
        if task.checkpoint is not None:
            identity, began = json.loads(unzipped(task.checkpoint))
            assert identity == aim
        self.ran.append((task.number, began, task.limits.until))
        curve = [self.row(step, aim) for step in range(1, began + 1)]
        stopped = "all epochs"
        for step in range(began + 1, task.budget.epochs + 1):
            curve.append(self.row(step, aim))
            if report is not None:
                report(curve[-1])
            if 0.2 <= aim < 0.3 and step == 2 and self.plateaus:
                stopped = "plateau"
            elif step == task.budget.epochs:
                stopped = "all epochs"
            elif curve[-1]["mse"] > task.limits.worst.get(step, 99):
                stopped = "pruned"
            elif step == task.limits.until:
                stopped = "paused"
            else:
                continue
            break
        score = curve[-1]["mse"]
        paused = stopped == "paused"
        return Outcome(
            score=score,
            best_step=len(curve),
            metrics={"mse": score},
            curve=tuple(curve),
            schedule=Schedule((0.1,) * len(curve), 1, 64),
            seconds=float(len(curve) - began),
            model=zipped(repr(score)),
            stopped=stopped,
            checkpoint=zipped(json.dumps([aim, len(curve)])) if paused else None,
        )

    @staticmethod
    def row(step, aim):
        return {
            "step": step,
            "epoch": float(step),
            "loss": 1.0,
            "learning_rate": 0.1,
            "seconds": float(step),
            "mse": aim + 1 / step,
        }


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(workers, "run_trial", trainer)
    return trainer


@pytest.fixture
def search(tmp_path, trainer):
    """Runs a search; gives its result and what it had trained: trial, from, until."""

    def run(folder="searches", **settings):
        trainer.ran.clear()
        result = run_search(
            make_recommender(learning_rate=autorec_core.choice(*RATES)),
            make_rows(40, seed=1),
            make_rows(10, seed=2),
            directory=tmp_path / folder,
            **{
                "tuner": "halving",
                "max_trials": 12,
                "workers": 0,
                "seed": 4,
                "budget": Budget(epochs=EPOCHS, patience=2),
                **settings,
            },
        )
        return result, list(trainer.ran)

    return run


def found(result):
    """What a search says of each trial, but for the time."""
    return {
        trial.number: (
            dict(trial.hyperparameters),
            trial.score,
            trial.best_step,
            trial.spent,
            trial.stopped,
            trial.known,
        )
        for trial in result.leaderboard
    }


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


class TestInterrupted:
    def test_killed_anywhere_and_resumed_it_finds_the_same(self, search, trainer):
        whole, ran = search("whole")
        for instant in range(2, len(ran), 3):
            trainer.dies_before = instant
            with pytest.raises(KeyboardInterrupt):
                search(f"killed {instant}")
            trainer.dies_before = None
            resumed, again = search(f"killed {instant}")
            assert found(resumed) == found(whole)
            assert again == ran[instant:]
        assert search("whole")[1] == []

    def test_more_trials_go_on_and_find_what_a_search_of_so_many_finds(self, search):
        for number in (3, 10):
            search(f"raised {number}", max_trials=number)
            raised, ran = search(f"raised {number}", max_trials=14)
            afresh, all_ran = search("afresh", max_trials=14, overwrite=True)
            assert found(raised) == found(afresh)
            assert len(ran) < len(all_ran)
            assert search(f"raised {number}", max_trials=14)[1] == []

    def test_fewer_trials_give_what_a_search_of_so_many_finds(self, search):
        search(max_trials=12)
        for number in (4, 9):
            fewer, _ = search(max_trials=number)
            assert found(fewer) == found(search("afresh", max_trials=number, overwrite=True)[0])
            assert unzipped(fewer.model_path.read_bytes()) == repr(fewer.best.score)
        again, _ = search(max_trials=12)
        assert found(again) == found(search("afresh", max_trials=12, overwrite=True)[0])

    def test_a_lost_or_damaged_checkpoint_costs_time_alone(self, search, trainer):
        whole, ran = search("whole")
        instant = next(place for place, (_, began, _) in enumerate(ran) if began)
        for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")):
            trainer.dies_before = instant
            with pytest.raises(KeyboardInterrupt):
                search("lost", overwrite=True)
            trainer.dies_before = None
            for path in (whole.directory.parent.parent / "lost").rglob("*.npz"):
                damage(path)
            resumed, again = search("lost")
            assert again[0] == (ran[instant][0], 0, ran[instant][2])
            assert found(resumed) == found(whole)

    def test_checkpoints_are_kept_of_paused_trials_within_their_room(self, search, monkeypatch):
        result, _ = search()
        paused = [t for t in result.leaderboard if t.stopped == "paused"]
        names = [path.stem for path in (result.directory / "checkpoints").glob("*.npz")]
        assert sorted(names) == sorted(f"{t.number:04d}-{t.until:05d}" for t in paused)
        size = (result.directory / "checkpoints" / f"{names[0]}.npz").stat().st_size
        monkeypatch.setattr("autorec_core.search.records.store.CHECKPOINT_BYTES", 2 * size + 20)
        less, _ = search("little room")
        assert found(less) == found(result)
        assert len(list((less.directory / "checkpoints").glob("*.npz"))) <= 2


class TestBudgets:
    @pytest.mark.parametrize("tuner", ["random", "halving"])
    def test_no_trial_starts_after_so_many_epochs(self, search, tuner):
        result, ran = search(tuner=tuner, max_epochs=60)
        spent = [t.spent for t in sorted(result.leaderboard, key=lambda t: t.number)]
        last = ran[-1]
        assert sum(spent) >= 60
        assert sum(spent) - (len(ran) and (spent[last[0]] - last[1])) < 60
        assert search(tuner=tuner, max_epochs=60)[1] == []
        more, _ = search(tuner=tuner, max_epochs=90)
        assert found(more) == found(search("afresh", tuner=tuner, max_epochs=90)[0])

    def test_time_of_earlier_parts_counts_once(self, search):
        """Each fake epoch takes a second, by its record."""
        result, _ = search(max_trials=6)
        spent = sum(trial.seconds for trial in result.leaderboard)
        assert search(max_trials=12, seconds=EPOCHS - 1)[1] == []
        assert spent > EPOCHS
        assert len(search(max_trials=7, seconds=10 * spent)[1]) >= 1


class TestPruned:
    def test_the_median_rule(self):
        rule = MedianRule(METRICS["mse"], evaluations=9)
        for curve in ([3, 2, 1], [5, 4, 4.5], [2, 2.5]):
            assert rule.worst() == {}
            rule.add(curve)
        assert rule.worst() == {1: 3, 2: 2, 3: 2}
        rule.add([9])
        assert rule.worst() == {1: 5, 2: 4, 3: 4}  # of an even number the worse one
        more = MedianRule(METRICS["auc"], evaluations=27)
        for curve in ([0.5, 0.6, 0.7, 0.7], [0.6, 0.8, 0.7, 0.9], [0.9, 0.1, 0.1, 0.1]):
            more.add(curve)
        assert more.worst() == {3: 0.8, 4: 0.9}

    @pytest.mark.parametrize("tuner", ["random", "greedy", "bayesian"])
    def test_hopeless_trials_stop_and_the_winner_is_the_same_as_of_those_that_ran(
        self, search, trainer, tuner
    ):
        trainer.plateaus = False
        result, _ = search(tuner=tuner, prune=True)
        stopped = {trial.number: trial.stopped for trial in result.leaderboard}
        assert "pruned" in stopped.values()
        assert not {"pruned"} & {stopped[n] for n in range(3)}
        assert result.best.stopped != "pruned"
        assert sum(trial.spent for trial in result.leaderboard) < 12 * EPOCHS
        again, nothing = search(tuner=tuner, prune=True)
        assert (found(again), nothing) == (found(result), [])
        assert all(trial.status == "completed" for trial in result.leaderboard)

    def test_killed_and_resumed_it_prunes_the_same(self, search, trainer):
        trainer.plateaus = False
        whole, _ = search("whole", tuner="random", prune=True)
        assert "pruned" in [trial.stopped for trial in whole.leaderboard]
        for instant in (4, 9):
            trainer.dies_before = instant
            with pytest.raises(KeyboardInterrupt):
                search(f"killed {instant}", tuner="random", prune=True)
            trainer.dies_before = None
            assert found(search(f"killed {instant}", tuner="random", prune=True)[0]) == found(whole)

    def test_a_search_that_prunes_is_another_search(self, search):
        one, other = search(tuner="random"), search(tuner="random", prune=True)
        assert one[0].directory != other[0].directory


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
