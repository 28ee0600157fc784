"""MovieLens 100K replayed in nights: a full search each night, or the last search's settings again.

python benchmarks/nights.py FILE [--trials 10] [--nights 1 2 3 4 5 6 7 8]

FILE is u.data. Ratings arrive in the order of their times; night n has the first n eighths of them.
`--nights` names the nights to replay. Each night runs the stages of dvc.yaml as a scheduled run
does, each in a process of its own with one thread: first as a search night, then as a settings
night, with the settings of the last search that a run would use (`pipeline.retrain: auto` searches
again when the rows have more than doubled). Both have the same prepared data and test rows.
Processor seconds are counted for each stage. `night` sums all stages, and leaves out only what is
the same in both and small: Prefect, DVC and the registry (benchmarks/flow.py measures these).
Results go to benchmarks/results/nights.json, figures only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from autorec_core.files import write_json
from flows.retraining.evidence import settings_of
from flows.retraining.plan import Plan
from flows.retraining.rule import MOST_CHANGE
from flows.workspace import Places

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "nights.json"
DATASET = "movielens-100k"
NIGHTS = 8
SAME = ("fetch", "check_raw", "prepare", "check_splits")
OWN = ("plan", "search", "evaluate")
COLUMNS = ["user_id", "item_id", "rating", "timestamp"]


def main() -> None:
    """Replays the nights and writes the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--nights", type=int, nargs="+", default=list(range(1, NIGHTS + 1)))
    parser.add_argument("--trials", type=int, default=10)
    options = parser.parse_args()
    rows = pd.read_csv(options.file, sep="\t", header=None, names=COLUMNS, dtype=str)
    rows = rows.iloc[np.argsort(rows["timestamp"].astype(int).to_numpy(), kind="stable")]
    nights: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        places = Places(DATASET, Path(folder))
        write_params(places, options.trials)
        winner: dict[str, Any] = {}
        searched_rows = 0
        for number in options.nights:
            part = rows.head(len(rows) * number // NIGHTS)
            arrived = places.root / "data" / "incoming" / DATASET / "u.data"
            arrived.parent.mkdir(parents=True, exist_ok=True)
            part.to_csv(arrived, sep="\t", header=False, index=False)
            same = {stage: run(stage, places) for stage in SAME}
            night: dict[str, Any] = {"night": number, "rows": len(part), "same": same}
            searches_anyway = not winner or len(part) > MOST_CHANGE * searched_rows
            night["search"], found = trained(places, Plan("search", "settings", ""))
            if searches_anyway:
                winner, searched_rows = found, len(part)
            else:
                settings, schedules = settings_of({"winner": winner}, None)
                plan = Plan(
                    "settings",
                    "settings",
                    "",
                    tuple(settings or ()),
                    schedules=tuple(schedules or ()),
                )
                night["settings"], _ = trained(places, plan)
            nights.append(night)
            print(json.dumps(night), flush=True)
            write_json(RESULTS, summary(nights, options))


def write_params(places: Places, trials: int) -> None:
    """Writes the params.yaml of the workspace: the project's, for slices of the data set."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["pipeline"]["retrain"] = "settings"  # so the plans below are kept
    content["search"] |= {"max_trials": trials, "workers": 0}
    entry = content["datasets"][DATASET]
    entry |= {"sha256": None, "sources": entry["sources"][:1]}
    entry["facts"] |= {"min_rows": 1}
    content["datasets"] = {DATASET: entry}
    path = places.root / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def trained(places: Places, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Runs the stages from plan to evaluate; returns the figures and the winner's description."""
    plan.save(places.plan)
    seconds = {stage: run(stage, places) for stage in OWN}
    metrics = json.loads((places.evaluation / "metrics.json").read_text(encoding="utf-8"))
    winner = json.loads((places.search / "winner" / "result.json").read_text(encoding="utf-8"))
    epochs = [len(one["rates"]) / one["parts"] for one in winner["schedules"]]
    figures = {"seconds": seconds, "test_mse": metrics["model"]["mse"], "epochs": epochs}
    return figures, winner


def run(stage: str, places: Places) -> float:
    """Runs a stage in a process of its own; returns its processor seconds."""
    before = children_seconds()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }
    subprocess.run(
        [sys.executable, "-m", "flows.stages", stage, DATASET],
        cwd=places.root,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return round(children_seconds() - before, 1)


def children_seconds() -> float:
    """Returns the processor seconds of all processes that this one has started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def summary(nights: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """Returns the figures of all nights, and those over the nights that were trained both ways."""
    both = [night for night in nights if "settings" in night]
    used = {
        way: {
            "search_stage": sum(night[way]["seconds"]["search"] for night in both),
            "night": sum(
                sum(night["same"].values()) + sum(night[way]["seconds"].values()) for night in both
            ),
        }
        for way in ("search", "settings")
    }
    change = [night["settings"]["test_mse"] / night["search"]["test_mse"] - 1 for night in both]
    shown = [options.file.name, "--trials", options.trials, "--nights", *options.nights]
    return {
        "command": shlex.join(["python", "benchmarks/nights.py", *map(str, shown)]),
        "data": DATASET,
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "nights": nights,
        "processor_seconds_settings_to_search": {
            part: round(used["settings"][part] / used["search"][part], 3)
            for part in ("search_stage", "night")
        }
        if both
        else None,
        "test_mse_change_mean": float(np.mean(change)) if both else None,
    }


if __name__ == "__main__":
    main()
