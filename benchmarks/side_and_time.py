"""Measures what side tables and time features add to the default candidate, on valid rows.

python benchmarks/side_and_time.py [--seeds 1 2 3] [--splits stratified by_time]

Needs the raw files of movielens-100k-side, which `python -m flows.stages fetch movielens-100k-side`
fetches. Each variant is the default candidate of the extended space, trained on train and scored on
valid. Test is not used.
Figures are written to benchmarks/results/quality/side-and-time.json. A variant that has a figure
there is not run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import get_args

from ablation import budget, candidate

from autorec_core import zoo
from autorec_core.config import DatasetParams, TimeFeature
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.files import write_json
from autorec_core.training import Rows, train
from flows.config import Params
from flows.workspace import Places

PLAIN, SIDE = "movielens-100k", "movielens-100k-side"
RESULTS = Path(__file__).parent / "results" / "quality" / "side-and-time.json"


def variants(params: Params) -> dict[str, DatasetParams]:
    """The entries to compare, which have the same rows."""
    plain, side = params.dataset(PLAIN), params.dataset(SIDE)
    times = {"time_features": list(get_args(TimeFeature))}
    return {
        "ids alone": plain,
        "side tables": side,
        "time features": plain.model_copy(update=times),
        "side tables and time features": side.model_copy(update=times),
    }


def loss(params: Params, entry: DatasetParams, strategy: str, seed: int) -> float:
    """Returns the loss on valid of the default candidate."""
    split = params.split.model_copy(update={"strategy": strategy})
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "prepared"
        prepare(entry, split, params.preprocess, seed, Places(SIDE).raw / entry.file, out)
        known, valid = (
            Rows(part.inputs(), part.label)
            for part in (load_examples(out, "train"), load_examples(out, "valid"))
        )
        recommender = candidate(partial(zoo.build, "auto"), load_schema(out), {})
    return float(train(recommender, known, valid, budget=budget(), seed=seed).score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--splits", nargs="+", default=["stratified", "by_time"])
    arguments = parser.parse_args()
    found: dict[str, dict[str, dict[str, float]]] = {}
    if RESULTS.exists():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))["valid mse"]
    params = Params.load()
    for seed in arguments.seeds:
        for strategy in arguments.splits:
            for name, entry in variants(params).items():
                of_variant = found.setdefault(strategy, {}).setdefault(name, {})
                if str(seed) in of_variant:
                    continue
                of_variant[str(seed)] = loss(params, entry, strategy, seed)
                print(strategy, name, seed, of_variant[str(seed)], flush=True)
                command = "python benchmarks/side_and_time.py"
                write_json(RESULTS, {"command": command, "valid mse": found})


if __name__ == "__main__":
    main()
