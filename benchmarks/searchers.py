"""Compares searchers at equal processor seconds, over the same splits, by the test loss.

python benchmarks/searchers.py DATASET FILE --seconds 60 --seeds 1 2 3 [--tuners random staged]

Each search runs alone in this process until it has used its processor seconds; a trial that runs
then is not counted. The winner is the trial with the best valid loss, or the first candidate if the
best is not clearly better. Its model is scored on test, not refitted and not averaged; `best_test`
is the test loss of the best trial by valid.

`one epoch` is the reference: random candidates are trained for one epoch until half of the time is
used, then the best of them in full (https://arxiv.org/abs/2307.15422). DATASET is a name in
params.yaml, or `tags`: clicks of users, items and tags with the header
label,user_id,item_id,tag_id.

Figures go to benchmarks/results/searchers.json; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy.stats import t as student

from autorec_core import zoo
from autorec_core.config import DatasetParams
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.files import write_json
from autorec_core.metrics import Metric, objective_metric
from autorec_core.recommender import Recommender
from autorec_core.search import Listener, SearchPlan, TrialRecord, run_search
from autorec_core.search.oracles.points import Points
from autorec_core.search.space import decisive, resolved, search_space
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import (
    Budget,
    Checkpoint,
    CompiledModels,
    FailedTrial,
    Limits,
    Rows,
    predict,
    train,
)
from flows.config import Params

RESULTS = Path(__file__).parent / "results" / "searchers.json"
ONE_EPOCH = "one epoch"
TUNERS = ("random", "staged", ONE_EPOCH)


class OverError(Exception):
    """The processor seconds are used up."""


@dataclasses.dataclass
class Clock:
    """Processor seconds of this process, those of measuring left out.

    Args:
        seconds: How many there are.
    """

    seconds: float
    began: float = dataclasses.field(default_factory=time.process_time)

    @property
    def used(self) -> float:
        """Processor seconds since the beginning."""
        return time.process_time() - self.began

    def check(self) -> None:
        """Raises `OverError` if none are left."""
        if self.used > self.seconds:
            raise OverError

    @contextlib.contextmanager
    def stopped(self) -> Any:
        """Does not count what happens meanwhile."""
        before = time.process_time()
        yield
        self.began += time.process_time() - before


@dataclasses.dataclass
class Splits:
    """One split of a data set.

    Args:
        recommender: The search space.
        train: The rows to learn from.
        valid: The rows that score candidates.
        test: The rows that score winners.
        metric: The objective.
    """

    recommender: Recommender
    train: Rows
    valid: Rows
    test: Rows
    metric: Metric

    def judged(self, model: keras.Model) -> tuple[float, np.ndarray]:
        """Returns the loss of a model on test, and its predictions on valid."""
        loss = self.metric(self.test.labels, predict(model, self.test.inputs))
        return loss, predict(model, self.valid.inputs)


class Watch(Listener):
    """Ends a search when its time is up, and tests its first candidate and its best one.

    Args:
        clock: Says when.
        splits: The rows.
    """

    def __init__(self, clock: Clock, splits: Splits) -> None:
        self._clock = clock
        self._splits = splits
        self.found = Found(splits)

    def on_search_start(self, plan: SearchPlan) -> None:
        """Notes where models lie."""
        self._folder = plan.directory

    def on_epoch(self, trial: TrialRecord, row: Mapping[str, float]) -> None:
        """Ends the search in the middle of a trial."""
        self._clock.check()

    def on_trial_pause(self, trial: TrialRecord) -> None:
        """Takes the part of a trial into account."""
        self.on_trial_end(trial)

    def on_trial_end(self, trial: TrialRecord) -> None:
        """Takes a trial into account."""
        self._clock.check()
        self.found.candidates = max(self.found.candidates, trial.number + 1)
        if trial.score is None or not self.found.is_better(trial.score):
            return
        with self._clock.stopped():
            part = "" if trial.until is None else f"-{trial.until:05d}"
            model = keras.models.load_model(self._folder / f"model-{trial.number:04d}{part}.keras")
            judged = self._splits.judged(model)
            self.found.take(trial.number, trial.score, judged, trial.hyperparameters)


@dataclasses.dataclass
class Found:
    """What a search has found.

    Args:
        splits: The rows.
        candidates: Number of candidates that were begun.
        first: The test loss of the first candidate.
        best: Number of the best candidate by valid.
        valid: Its valid loss.
        best_test: Its test loss.
        errors: By how many standard errors it is better than the first candidate on valid.
        values: Its hyperparameters.
    """

    splits: Splits
    candidates: int = 0
    first: float | None = None
    best: int | None = None
    valid: float | None = None
    best_test: float | None = None
    errors: float = 0.0
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def is_better(self, score: float) -> bool:
        """Returns whether a valid loss is better than the best so far."""
        return self.valid is None or self.splits.metric.better(score, self.valid)

    def take(
        self,
        number: int,
        valid: float,
        judged: tuple[float, np.ndarray],
        values: Mapping[str, Any],
    ) -> None:
        """Takes a candidate as the best so far.

        Args:
            number: Its number.
            valid: Its valid loss.
            judged: What `Splits.judged` returns for its model.
            values: Its hyperparameters.
        """
        test, predicted = judged
        losses = self.splits.metric.row_losses
        assert losses is not None
        rows = losses(self.splits.valid.labels, predicted)
        if number == 0:
            self.first, self._first_rows = test, rows
        gains = self._first_rows - rows
        spread = gains.std() / math.sqrt(len(gains))
        self.errors = float(gains.mean() / spread) if spread else 0.0
        self.best, self.valid, self.best_test, self.values = number, valid, test, dict(values)

    def line(self) -> dict[str, Any]:
        """Returns what there is to report; `test` is the loss of the winner."""
        clear = self.errors > 1
        return {
            "candidates": self.candidates,
            "first": self.first,
            "best": self.best,
            "valid": self.valid,
            "errors": self.errors,
            "best_test": self.best_test,
            "test": self.best_test if clear else self.first,
            "values": self.values,
        }


def budget() -> Budget:
    """Returns the training budget of params.yaml."""
    params = Params.load()
    return Budget(epochs=params.train.epochs, patience=params.train.patience)


def searched(splits: Splits, tuner: str, seed: int, seconds: float) -> Found:
    """Runs a search of AutoRec until its time is up."""
    watch = Watch(Clock(seconds), splits)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OverError):
        run_search(
            splits.recommender,
            splits.train,
            splits.valid,
            directory=Path(folder),
            tuner=tuner,
            max_trials=10_000,
            budget=budget(),
            seed=seed,
            workers=0,
            listener=watch,
        )
    return watch.found


def one_epoch(splits: Splits, seed: int, seconds: float) -> Found:
    """Trains random candidates for one epoch in half of the time, then the best of them in full.

    The first candidate is the default, trained in full, as in every search.
    """
    clock, found, models = Clock(seconds), Found(splits), CompiledModels()
    recommender = decisive(splits.recommender, rows=len(splits.train), budget=budget())
    points = Points(search_space(recommender))
    tried: list[tuple[float, int, Mapping[str, Any], Checkpoint | None]] = []

    def part(values: Mapping[str, Any], until: int | None, checkpoint: Checkpoint | None) -> Any:
        candidate = resolved(recommender, values)
        with models.lent(candidate, splits.train, seed) as compiled:
            trained = train(
                candidate,
                splits.train,
                splits.valid,
                budget=budget(),
                seed=seed,
                limits=Limits(until=until),
                checkpoint=checkpoint,
                compiled=compiled,
                report=lambda row: clock.check(),
            )
            compiled.standing = trained.score
            with clock.stopped():
                return trained, splits.judged(trained.model)

    with contextlib.suppress(OverError):
        for number in itertools.count():
            if number and clock.used > seconds / 2:
                break
            random = np.random.default_rng([seed, number])
            values = points.sample(random) if number else points.defaults()
            with contextlib.suppress(FailedTrial):
                trained, judged = part(values, 1 if number else None, None)
                if number:
                    tried.append((trained.score, number, values, trained.checkpoint))
                found.candidates += 1
                if found.is_better(trained.score):
                    found.take(number, trained.score, judged, values)
        for _, number, values, checkpoint in sorted(tried, key=lambda one: one[:2]):
            with contextlib.suppress(FailedTrial):
                trained, judged = part(values, None, checkpoint)
                if found.is_better(trained.score):
                    found.take(number, trained.score, judged, values)
    return found


def entry_of(dataset: str, params: Params) -> DatasetParams:
    """Returns the entry of a data set in params.yaml, without its sample, or that of the tags."""
    if dataset != "tags":
        return params.datasets[dataset].model_copy(update={"sample": None})
    ids = ["user_id", "item_id", "tag_id"]
    entry = params.datasets["criteo"].model_dump()
    entry["format"] |= {"separator": ",", "header": True, "columns": ["label", *ids]}
    entry["facts"] |= {"min_rows": 1, "label_mean": None, "ranges": {}, "warn_only": ["max_psi"]}
    entry |= {
        "title": "MovieLens tags",
        "label": "label",
        "categorical": ids,
        "numeric": [],
        "user": "user_id",
        "item": "item_id",
        "sample": None,
    }
    return DatasetParams.model_validate(entry)


def split(dataset: str, file: Path, seed: int, folder: Path) -> Splits:
    """Splits a data set and reads it."""
    params = Params.load()
    prepare(entry_of(dataset, params), params.split, params.preprocess, seed, file, folder)
    schema = load_schema(folder)
    parts = [load_examples(folder, name) for name in ("train", "valid", "test")]
    train_rows, valid, test = (Rows(part.inputs(), part.label) for part in parts)
    recommender = zoo.build("auto", schema)
    metric = objective_metric(recommender.optimizer.objective, schema.task)
    return Splits(recommender, train_rows, valid, test, metric)


def compared(runs: Sequence[Mapping[str, Any]], one: str, other: str) -> dict[str, Any] | None:
    """Returns the mean difference of test losses in percent, with its 95 % interval."""
    pairs = [
        (run["searches"][one], run["searches"][other])
        for run in runs
        if one in run["searches"] and other in run["searches"]
    ]
    return interval([(a["test"] / b["test"] - 1) * 100 for a, b in pairs])


def interval(differences: Sequence[float]) -> dict[str, Any] | None:
    """Returns the mean of paired differences and its 95 % interval (Student's t)."""
    number = len(differences)
    if number < 2:
        return None
    mean = statistics.fmean(differences)
    half = student.ppf(0.975, number - 1) * statistics.stdev(differences) / math.sqrt(number)
    return {"percent": mean, "from": mean - half, "to": mean + half, "seeds": number}


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns all comparisons of one data set; below zero means that the first one is better."""
    tuners = list(dict.fromkeys(tuner for run in runs for tuner in run["searches"]))
    found = {
        f"{one} against {other}": compared(runs, one, other)
        for one in tuners
        for other in tuners
        if one != other and one not in ("random", ONE_EPOCH)
    }
    for tuner in tuners:
        lines = [run["searches"][tuner] for run in runs if tuner in run["searches"]]
        found[f"{tuner} against its first candidate"] = interval(
            [(line["test"] / line["first"] - 1) * 100 for line in lines]
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(1, 11)])
    parser.add_argument("--tuners", nargs="+", default=list(TUNERS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    make_ready()
    for seed in arguments.seeds:
        folder = Path(tempfile.mkdtemp())
        splits = None
        for tuner in arguments.tuners:
            results = read(arguments.results)
            found = results.setdefault(arguments.dataset, {"runs": []})
            run = next((one for one in found["runs"] if one["seed"] == seed), None)
            if run is None:
                run = {"seed": seed, "seconds": arguments.seconds, "searches": {}}
                found["runs"].append(run)
            if tuner in run["searches"]:
                continue
            splits = splits or split(arguments.dataset, arguments.file, seed, folder / "split")
            search = one_epoch if tuner == ONE_EPOCH else None
            line = (
                search(splits, seed, arguments.seconds)
                if search
                else searched(splits, tuner, seed, arguments.seconds)
            )
            run["searches"][tuner] = line.line()
            found["command"] = (
                f"python benchmarks/searchers.py {arguments.dataset} FILE --seconds "
                f"{arguments.seconds:g} --seeds {' '.join(str(r['seed']) for r in found['runs'])}"
            )
            found["difference of the test loss in percent"] = summary(found["runs"])
            write_json(arguments.results, results)
            print(json.dumps({"seed": seed, "tuner": tuner, **run["searches"][tuner]}), flush=True)
        shutil.rmtree(folder)


def read(path: Path) -> dict[str, Any]:
    """Reads the results file; empty if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    main()
