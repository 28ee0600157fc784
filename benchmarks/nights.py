"""MovieLens 100K replayed in nights: a full search each night, or the champion's settings again.

python benchmarks/nights.py FILE [--trials 10] [--train 1 2 3 4 5 6 7 8]

FILE is u.data. Ratings arrive in the order of their times; night n has the first n eighths of them.
`--train` names the nights that are trained; the first of them must be night 1.
Each night is prepared once, then trained in two ways, as the search stage trains it: by a full
search of its own, and with the settings that the search of the first night found. All runs in one
process with one thread; the processor seconds are those of the search stage alone (trials, and the
training of the final model on train and valid). Test rows are the same for both ways of a night.
Results go to benchmarks/results/nights.json, figures only.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from autorec_core import zoo
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.data.schema import Examples
from autorec_core.files import write_json
from autorec_core.search import best_of, finish, run_search
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import Rows, predict
from flows.config import Params
from flows.retraining.plan import Plan
from flows.stages.search import members_of, search_settings

RESULTS = Path(__file__).parent / "results" / "nights.json"
DATASET = "movielens-100k"
NIGHTS = 8


def main() -> None:
    """Replays the nights and writes the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--train", type=int, nargs="+", default=list(range(1, NIGHTS + 1)))
    parser.add_argument("--trials", type=int, default=10)
    options = parser.parse_args()
    make_ready()
    params = Params.load(Path(__file__).parent.parent / "params.yaml")
    search = params.search.model_copy(update={"max_trials": options.trials, "workers": 0})
    params = params.model_copy(update={"search": search})
    columns = ["user_id", "item_id", "rating", "timestamp"]
    rows = pd.read_csv(options.file, sep="\t", header=None, names=columns, dtype=str)
    rows = rows.iloc[np.argsort(rows["timestamp"].astype(int).to_numpy(), kind="stable")]
    plans = {"search": Plan("search", "search", ""), "settings": None}
    nights: list[dict[str, Any]] = []
    for number in options.train:
        with tempfile.TemporaryDirectory() as folder:
            part = rows.head(len(rows) * number // NIGHTS)
            train, valid, test = prepared(params, part, Path(folder))
            night: dict[str, Any] = {"night": number, "train_rows": len(train)}
            for way, plan in plans.items():
                if plan is None:
                    continue
                used, loss, winner = trained(params, plan, train, valid, test, Path(folder))
                night[way] = {"processor_seconds": round(used, 1), "test_mse": round(loss, 5)}
                if plans["settings"] is None:
                    first = Plan("settings", "settings", "", winner)
        plans["settings"] = plans["settings"] or first
        nights.append(night)
        print(json.dumps(night), flush=True)
        write_json(RESULTS, summary(nights, options.trials))


def prepared(params: Params, rows: pd.DataFrame, folder: Path) -> tuple[Examples, ...]:
    """Splits and encodes the rows of a night."""
    raw = folder / "u.data"
    rows.to_csv(raw, sep="\t", header=False, index=False)
    entry = params.dataset(DATASET)
    prepare(entry, params.split, params.preprocess, params.seed, raw, folder / "prepared")
    return tuple(load_examples(folder / "prepared", part) for part in ("train", "valid", "test"))


def trained(
    params: Params, plan: Plan, train: Examples, valid: Examples, test: Examples, folder: Path
) -> tuple[float, float, tuple[dict[str, Any], ...]]:
    """Trains as the search stage does; returns processor seconds, test MSE and the settings."""
    recommender = zoo.build(params.model.name, load_schema(folder / "prepared"), params.model.space)
    settings = search_settings(params, plan)
    known, scored = (Rows(part.inputs(), part.label) for part in (train, valid))
    began = time.process_time()
    result = run_search(recommender, known, scored, settings, directory=folder / plan.mode)
    members = best_of(result, len(known), scored.labels, members_of(params, plan, settings))
    final = finish(
        result,
        members,
        known,
        scored,
        budget=settings.budget,
        seed=settings.seed,
        refitting=params.train.refit,
    )
    used = time.process_time() - began
    scores = predict(final.model, test.inputs())
    loss = float(np.mean((np.ravel(scores).astype(np.float64) - test.label) ** 2))
    return used, loss, tuple(dict(trial.hyperparameters) for trial in final.members)


def summary(nights: list[dict[str, Any]], trials: int) -> dict[str, Any]:
    """Returns the figures of all nights, and means over those trained in both ways."""
    both = [night for night in nights if "settings" in night]
    used = {
        way: sum(night[way]["processor_seconds"] for night in both)
        for way in ("search", "settings")
    }
    losses = {way: [night[way]["test_mse"] for night in both] for way in ("search", "settings")}
    change = [b / a - 1 for a, b in zip(losses["search"], losses["settings"], strict=True)]
    return {
        "data": DATASET,
        "trials": trials,
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "nights": nights,
        "processor_seconds_settings_to_search": used["settings"] / used["search"] if both else None,
        "test_mse_change_mean": float(np.mean(change)) if both else None,
    }


if __name__ == "__main__":
    main()
