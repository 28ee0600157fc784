"""The loss of the search's model on labels that are pure noise, divided by the constant's.

python benchmarks/pure_noise.py > benchmarks/results/pure_noise.json

Nothing can be learned here, so the best model predicts the mean. Five seeds for each task; a seed
decides rows, split, search and training. The default space, three random trials.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from autorec_core import zoo
from autorec_core.data.schema import Examples, Field, Schema
from autorec_core.metrics import metrics_of
from autorec_core.search import SearchSettings, best_of, finish, run_search
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import Budget, Rows, predict

USERS, ITEMS, PARTS = 200, 100, (3200, 400, 400)
MODELS = {"rating": "autorec_rp", "ctr": "autorec_ctr"}
SEEDS = (1, 2, 3, 4, 5)


def noise(task: str, seed: int) -> list[Examples]:
    """Makes train, valid and test; labels do not depend on the ids."""
    random = np.random.default_rng(seed)
    found = []
    for count in PARTS:
        ids = np.stack([random.integers(1, size, count) for size in (USERS, ITEMS)], axis=1)
        label = random.integers(1, 6, count) if task == "rating" else random.random(count) < 0.2
        numbers = np.zeros((count, 0), np.float32)
        found.append(Examples(ids.astype(np.int32), numbers, label.astype(np.float32)))
    return found


def ratio(task: str, seed: int) -> float:
    """Searches, refits and tests as the pipeline does; returns test loss over the constant's."""
    parts = noise(task, seed)
    fields = (Field("user", USERS), Field("item", ITEMS))
    schema = Schema(task, "label", fields, (), "user", "item", (1.0, 5.0))
    train, valid, test = (Rows(part.inputs(), part.label) for part in parts)
    budget = Budget(epochs=60, patience=2)
    with tempfile.TemporaryDirectory() as folder:
        result = run_search(
            zoo.build(MODELS[task], schema, "extended"),
            train,
            valid,
            SearchSettings(tuner="random", max_trials=3, budget=budget, seed=seed, workers=0),
            directory=Path(folder),
        )
        members = best_of(result, len(train), None)
        made = finish(result, members, train, valid, budget=budget, seed=seed, refitting=True)
    loss = metrics_of(task)[0]
    mean = np.concatenate([train.labels, valid.labels]).mean(dtype=np.float64)
    predicted = np.asarray(predict(made.model, test.inputs), np.float64)
    return float(loss(test.labels, predicted) / loss(test.labels, np.full(len(test), mean)))


def main() -> None:
    """Prints the ratios of all tasks and seeds as JSON."""
    make_ready()
    found: dict[str, list[float]] = {task: [] for task in MODELS}
    for task, ratios in found.items():
        for seed in SEEDS:
            ratios.append(round(ratio(task, seed), 4))
            print(task, seed, ratios[-1], file=sys.stderr)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
