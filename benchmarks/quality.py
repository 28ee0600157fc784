"""Test figures of the default search on real data, over several split seeds.

python benchmarks/quality.py DATASET FILE [--trials N] [--seeds 1 2 3] [--tuner random] [--model M]

DATASET names an entry of params.yaml, FILE is a raw file in its format (the whole data set or a
sample of it). Every seed splits anew, searches on train and valid, makes the final model from the
best candidates as params.yaml has it (`train.refit`, `train.ensemble`), and looks at test once.
Results go to benchmarks/results/quality/, figures only, seed by seed: a seed that stands there is
not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console

from autorec_core import zoo
from autorec_core.config import Params
from autorec_core.data.prepare import prepare
from autorec_core.data.schema import Examples
from autorec_core.data.store import load_examples, load_schema
from autorec_core.evaluation import evaluate
from autorec_core.files import write_json
from autorec_core.search import Display, best_of, finish, run_search
from autorec_core.training import Budget, Rows, predict

RESULTS = Path(__file__).parent / "results" / "quality"


def measure(arguments: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    """One split seed: what the search found, and its figures beside the baselines'."""
    params = Params.load()
    entry = params.datasets[arguments.dataset].model_copy(update={"sample": None})
    prepare(entry, params.split, params.preprocess, seed, arguments.file, folder / "splits")
    schema = load_schema(folder / "splits")
    train, valid, test = (load_examples(folder / "splits", p) for p in ("train", "valid", "test"))
    budget = Budget(epochs=params.train.epochs, patience=params.train.patience)
    began = time.monotonic()
    result = run_search(
        zoo.build(arguments.model, schema, params.model.space),
        rows(train),
        rows(valid),
        directory=folder / "trials",
        tuner=arguments.tuner,
        max_trials=arguments.trials,
        budget=budget,
        seed=seed,
        workers=arguments.workers,
        listener=Display(Console(width=120)),
    )
    searched = time.monotonic() - began
    final = finish(
        result,
        best_of(result, len(train), params.train.ensemble),
        rows(train),
        rows(valid),
        budget=budget,
        seed=seed,
        refitting=params.train.refit,
    )
    known = Examples(
        *(
            np.concatenate([getattr(part, name) for part in (train, valid)])
            for name in ("categorical", "numeric", "label")
        )
    )
    figures = evaluate(predict(final.model, test.inputs()), known, test, schema, seed).figures
    return {
        "seed": seed,
        "rows": [len(train), len(valid), len(test)],
        "valid": result.best.score,
        "test": figures,
        "search_seconds": round(searched, 1),
        "seconds": round(time.monotonic() - began, 1),
        "winner": dict(result.best.hyperparameters),
        "members": [trial.number for trial in final.members],
        "trials": [[trial.number, trial.score] for trial in result.leaderboard],
    }


def rows(examples: Examples) -> Rows:
    return Rows(examples.inputs(), examples.label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("file", type=Path)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--tuner", default="random")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    options = shlex.join(argument for argument in sys.argv[1:] if argument != str(arguments.file))
    name = f"{arguments.dataset}-{arguments.model}-{arguments.tuner}-{arguments.trials}"
    results = RESULTS / f"{name}.json"
    runs = json.loads(results.read_text(encoding="utf-8"))["runs"] if results.exists() else []
    for seed in arguments.seeds:
        if seed in {run["seed"] for run in runs}:
            continue
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measure(arguments, seed, Path(folder)))
        write_json(results, report(f"python benchmarks/quality.py {options} FILE", runs))
    print(results.read_text(encoding="utf-8"))


def report(command: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of the results file."""
    loss = "mse" if "mse" in runs[0]["test"]["model"] else "ce"
    return {
        "command": command,
        "versions": {name: version(name) for name in ("tensorflow", "keras", "keras-tuner")},
        "rows": sum(runs[0]["rows"]),
        "metric": f"test {loss}, mean over split seeds",
        "means": {
            name: float(np.mean([run["test"][name][loss] for run in runs]))
            for name in runs[0]["test"]
        },
        "runs": runs,
    }


if __name__ == "__main__":
    main()
