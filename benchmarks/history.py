"""What histories cost: processor seconds of an epoch, with sparse products and with all pairs.

python benchmarks/history.py DATASET FILE [--epochs 1] [--seed 1]

The default rating candidate is trained without histories, with histories as products of the table
of all pairs, and with sparse ones, an epoch of each in turn within one process. Each has the same
first weights and the same batches. Valid's loss after each epoch shows that the two ways are the
same model. Results go to benchmarks/results/history.json, figures only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from ablation import candidate, factors

from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.data.schema import Schema
from autorec_core.files import write_json
from autorec_core.mappers.history import History
from autorec_core.metrics import task_metrics
from autorec_core.training import Rows, learner, prediction
from autorec_core.training.batches import Batches
from autorec_core.training.histories import SparsePooling, sparse_histories
from autorec_core.training.untrained import adapted
from flows.config import Params

RESULTS = Path(__file__).parent / "results" / "history.json"
WAYS: dict[str, tuple[str, Callable[..., Any]]] = {
    "without": ("", sparse_histories),
    "all pairs": ("user item", nullcontext),
    "sparse": ("user item", sparse_histories),
}


class Contestant:
    """One candidate on its way, its graphs built with one way to pool."""

    def __init__(self, way: str, schema: Schema, train: Rows, valid: Rows, seed: int) -> None:
        histories, pooled_by = WAYS[way]
        recommender = candidate(lambda schema: factors(schema, histories), schema, {})
        self.valid = valid
        self.model = learner.build_model(recommender, seed)
        rows = adapted(self.model, [train])
        size = recommender.training.rows_a_step(len(train))
        self.batches = Batches(rows, size, seed)
        self.steps = -(-len(train) // size)
        self.learner = learner.Learner(recommender, self.model, size)
        self.predictor = prediction.Predictor(self.model)
        first = self.learner.weights()
        with (
            patch.object(learner, "sparse_histories", pooled_by),
            patch.object(prediction, "sparse_histories", pooled_by),
        ):  # builds the graphs, which the epochs' times leave out; no row, so nothing is learnt
            chunk = next(self.batches.epoch(0))
            self.learner.learn(chunk, chunk.order[:0])
            self.predictor({name: array[:1] for name, array in valid.inputs.items()})
        assert all(map(np.array_equal, first, self.learner.weights()))

    def epoch(self, number: int) -> dict[str, float]:
        """Trains an epoch and predicts valid."""
        began = time.process_time()
        for chunk in self.batches.epoch(number):
            self.learner.learn(chunk, chunk.order)
        between = time.process_time()
        scores = self.predictor(self.valid.inputs)
        return {
            "train": between - began,
            "predict": time.process_time() - between,
            "valid_mse": task_metrics("rating", self.valid.labels, scores)["mse"],
        }

    def megabytes(self) -> float:
        """What the sparse form of its histories takes, in addition to the tables of the model."""
        parts = [
            (met := SparsePooling(layer)._met).data.nbytes + met.indices.nbytes + met.indptr.nbytes
            for layer in self.model.layers
            if isinstance(layer, History)
        ]
        return sum(parts) / 1e6


def measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of one data set."""
    params = Params.load()
    entry = params.datasets[arguments.dataset]
    prepare(entry, params.split, params.preprocess, arguments.seed, arguments.file, folder)
    schema = load_schema(folder)
    train, valid = (
        Rows(part.inputs(), part.label)
        for part in (load_examples(folder, "train"), load_examples(folder, "valid"))
    )
    made = {way: Contestant(way, schema, train, valid, arguments.seed) for way in WAYS}
    epochs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(arguments.epochs):
        for way, one in made.items():
            epochs[way].append(one.epoch(number))
            print(way, number, epochs[way][-1], flush=True)
    seconds = {
        way: statistics.median(one["train"] + one["predict"] for one in found)
        for way, found in epochs.items()
    }
    return {
        "command": f"python benchmarks/history.py {arguments.dataset} FILE "
        f"--epochs {arguments.epochs} --seed {arguments.seed}",
        "steps_an_epoch": made["sparse"].steps,
        "processor_seconds_an_epoch": seconds,
        "all pairs / sparse": seconds["all pairs"] / seconds["sparse"],
        "sparse / without": seconds["sparse"] / seconds["without"],
        "sparse_form_mb": made["sparse"].megabytes(),
        "load": os.getloadavg()[0],
        "epochs": epochs,
        "versions": {name: version(name) for name in ("tensorflow", "keras", "scipy")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("file", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        known[arguments.dataset] = measured(arguments, Path(folder) / "splits")
    write_json(RESULTS, known)


if __name__ == "__main__":
    main()
