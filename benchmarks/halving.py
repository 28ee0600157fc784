"""Halving and pruning against random search at equal processor seconds, on made-up ratings.

python benchmarks/halving.py SECONDS SEED...

Each search runs alone in this process until it has used SECONDS processor seconds; a trial that
runs then is not counted. The default candidate comes first in each, with the same score.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from autorec_core import zoo
from autorec_core.data.schema import Examples
from autorec_core.data.synthetic.planted import plant
from autorec_core.search import Listener, TrialRecord, run_search
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import Budget, Rows

STRUCTURE, TRAIN, VALID = "cross", 8_000, 1_000
SEARCHES = {
    "random": {"tuner": "random"},
    "random, pruned": {"tuner": "random", "prune": True},
    "halving": {"tuner": "halving"},
}


class OverError(Exception):
    """The processor seconds are used up."""


class Clock(Listener):
    """Notes the best score after each trial, and ends the search when its time is up."""

    def __init__(self, seconds: float) -> None:
        self._began = time.process_time()
        self._seconds = seconds
        self.best: list[tuple[float, float]] = []
        self.trials: dict[int, float] = {}

    def on_epoch(self, trial: TrialRecord, row: dict[str, float]) -> None:
        """Ends the search in the middle of a trial."""
        self.trials.setdefault(trial.number, 0.0)
        self.trials[trial.number] = row["epoch"]
        if time.process_time() - self._began > self._seconds:
            raise OverError

    def on_trial_pause(self, trial: TrialRecord) -> None:
        """Notes it."""
        self.on_trial_end(trial)

    def on_trial_end(self, trial: TrialRecord) -> None:
        """Notes it."""
        used = time.process_time() - self._began
        if used > self._seconds:
            raise OverError
        if trial.score is not None:
            before = self.best[-1][1] if self.best else float("inf")
            self.best.append((round(used, 1), min(before, trial.score)))


def _rows(examples: Examples) -> Rows:
    return Rows(examples.inputs(), examples.label)


def main(seconds: float, seeds: list[int]) -> None:
    """Prints a line a search."""
    make_ready()
    for seed in seeds:
        planted = plant(STRUCTURE, TRAIN + VALID, seed=seed)
        train, valid = planted.part(0, TRAIN), planted.part(TRAIN, TRAIN + VALID)
        for name, settings in SEARCHES.items():
            clock = Clock(seconds)
            with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OverError):
                run_search(
                    zoo.build("auto", planted.schema),
                    _rows(train),
                    _rows(valid),
                    directory=Path(folder),
                    max_trials=1000,
                    budget=Budget(epochs=60, patience=2),
                    seed=seed,
                    workers=0,
                    listener=clock,
                    **settings,
                )
            line = {
                "search": name,
                "seed": seed,
                "first": clock.best[0] if clock.best else None,
                "best": clock.best[-1] if clock.best else None,
                "candidates": len(clock.trials),
                "epochs": sum(clock.trials.values()),
                "way": clock.best,
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
