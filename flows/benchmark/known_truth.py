"""Searches made-up data whose structure and noise floor are known, and says how near it came.

The loss of the model that knows what was planted is measured on the same test rows, so a ratio of 1
is all that anybody could reach. The search is the one a user gets: AutoRec in the extended space.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from autorec_core import zoo
from autorec_core.baselines import predict_biases, predict_mean
from autorec_core.config import Params
from autorec_core.data.planted import STRUCTURES, plant
from autorec_core.interactors.hyper import searchable
from autorec_core.search.store import code_hash
from autorec_core.search.workers import processors
from autorec_core.training import Budget
from flows.benchmark.cells import search_and_test
from flows.benchmark.lines import (
    TRUTH,
    TRUTH_RUNS,
    Line,
    append,
    machine,
    now,
    read_lines,
    versions,
)
from flows.benchmark.plan import Settings
from flows.benchmark.truth_table import interactors


def run_known_truth(
    params: Params,
    output: Path,
    *,
    rows: int,
    tuners: Sequence[str],
    seeds: Sequence[int],
    trials: int,
    epochs: int | None,
    workers: int | None,
    command: str,
) -> None:
    """Searches every structure with every seed that is not on disk yet.

    Args:
        params: The budget and the split's shares.
        output: The folder of the two files of lines.
        rows: Made-up rows, train, valid and test together.
        tuners: Searchers.
        seeds: Of data, search and training.
        trials: Of a search.
        epochs: Of a candidate, at most; None for `train.epochs`.
        workers: Trials at a time; None for one a processor.
        command: What the user has typed; it is kept.
    """
    console = Console(highlight=False, markup=False)
    epochs = min(params.train.epochs, epochs or params.train.epochs)
    budget = {"epochs": epochs, "patience": params.train.patience}
    cells: list[Line] = [
        {
            "structure": structure,
            "rows": rows,
            "tuner": tuner,
            "seed": seed,
            "trials": trials,
            "budget": budget,
        }
        for seed in seeds
        for structure in STRUCTURES
        for tuner in tuners
    ]
    done = [{name: line.get(name) for name in cells[0]} for line in read_lines(output / TRUTH)]
    todo = [cell for cell in cells if cell not in done]
    console.print(f"{len(todo)} searches to run; finished: {output / TRUTH}")
    if not todo:
        return
    began = time.monotonic()
    run = {"run": now(), "command": command, "cells": len(todo)}
    about = {"versions": versions(), "machine": machine(), "code": code_hash()}
    append(output / TRUTH_RUNS, [{**run, **about}])
    for cell in todo:
        found = _search(params, cell, workers or processors())
        append(output / TRUTH, [{**cell, **found, "run": run["run"]}])
        console.print(
            f"{cell['structure']} seed {cell['seed']}: {found['ratio']:.3f} of the floor, "
            f"winner: {', '.join(found['interactors'])}"
        )
    seconds = round(time.monotonic() - began, 1)
    end = {"run": run["run"], "ended": now(), "wall_seconds": seconds, "finished": len(todo)}
    append(output / TRUTH_RUNS, [end])


def _search(params: Params, cell: Line, workers: int) -> dict[str, Any]:
    """One search of one made-up data set, and how near it came to the truth."""
    made = plant(cell["structure"], cell["rows"], seed=cell["seed"])
    first, second = (int(cell["rows"] * share) for share in np.cumsum(params.split.ratios)[:2])
    ends = (0, first, second, cell["rows"])
    train, valid, test = (made.part(*ends[at : at + 2]) for at in range(3))
    with tempfile.TemporaryDirectory(prefix="autorec-") as folder:
        result, found = search_and_test(
            zoo.build("auto", made.schema, "extended"),
            (train, valid, test),
            tuner=cell["tuner"],
            trials=cell["trials"],
            budget=Budget(**cell["budget"]),
            seed=cell["seed"],
            final=Settings.final(params, "extended"),
            folder=Path(folder),
            workers=workers,
        )
    floor = float(np.mean(np.square(made.truth[second:] - test.label.astype(np.float64))))
    known = made.part(0, second)
    others = {
        "mean": predict_mean(known, test),
        "biases": predict_biases(known, test, made.schema),
    }
    return {
        "floor": floor,
        "ratio": found["test"]["mse"] / floor,
        "others": {
            name: float(np.mean(np.square(guess - test.label))) / floor
            for name, guess in others.items()
        },
        "interactors": interactors(found["winner"]),
        "choices": searchable(),
        "tried": [
            {"score": trial.score, "interactors": interactors(trial.hyperparameters)}
            for trial in sorted(result.leaderboard, key=lambda trial: trial.number)
        ],
        **found,
    }
