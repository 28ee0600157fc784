"""Compares the test loss of the row-wise Adam with that of Keras' Adam.

python benchmarks/adam.py DATASET FILE [--model auto] [--seeds 1 2 3]

The default candidate is trained twice for each split seed. Only the optimizer differs: the row-wise
Adam, or Keras' Adam, which updates every row of a table at every step. Nothing is chosen on test.
Figures are written to benchmarks/results/adam.json, next to those of other data sets.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from autorec_core import zoo
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.data.schema import Examples
from autorec_core.files import write_json
from autorec_core.metrics import task_metrics
from autorec_core.search.space import search_space
from autorec_core.training import Budget, Rows, predict, train
from flows.config import Params

RESULTS = Path(__file__).parent / "results" / "adam.json"
OPTIMIZERS = {"row-wise": "adam", "plain": "Adam"}  # the name of the class selects Keras' own Adam


def losses(arguments: argparse.Namespace, seed: int, folder: Path) -> dict[str, float]:
    """Returns the test loss with each optimizer, for one split seed."""
    params = Params.load()
    entry = params.datasets[arguments.dataset].model_copy(update={"sample": None})
    prepare(entry, params.split, params.preprocess, seed, arguments.file, folder)
    schema = load_schema(folder)
    known, valid, test = (load_examples(folder, part) for part in ("train", "valid", "test"))
    space = zoo.build(arguments.model, schema, params.model.space)
    candidate = space.resolve(search_space(space))
    loss = space.optimizer.objective.removeprefix("val_")
    found = {}
    for name, optimizer in OPTIMIZERS.items():
        training = dataclasses.replace(candidate.training, optimizer=optimizer)
        trained = train(
            dataclasses.replace(candidate, training=training),
            rows(known),
            rows(valid),
            budget=Budget(params.train.epochs, params.train.patience),
            seed=seed,
        )
        scores = predict(trained.model, test.inputs())
        found[name] = task_metrics(schema.task, test.label, scores)[loss]
    return found


def rows(examples: Examples) -> Rows:
    return Rows(examples.inputs(), examples.label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    runs = []
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            runs.append({"seed": seed, **losses(arguments, seed, Path(folder) / "splits")})
            print(runs[-1])
    means = {name: float(np.mean([run[name] for run in runs])) for name in OPTIMIZERS}
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[f"{arguments.dataset} {arguments.model}"] = {
        "command": f"python benchmarks/adam.py {arguments.dataset} FILE --model {arguments.model}",
        "means": means,
        "ratio": means["row-wise"] / means["plain"],
        "must": 1.005,
        "runs": runs,
        "versions": {name: version(name) for name in ("tensorflow", "keras")},
    }
    write_json(RESULTS, known)
    print(arguments.dataset, arguments.model, means, f"{means['row-wise'] / means['plain']:.4f}")


if __name__ == "__main__":
    main()
