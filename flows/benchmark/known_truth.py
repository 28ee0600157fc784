"""Searches made-up data with a known structure and a known best loss (the noise floor).

The floor is the test loss of the model that knows the planted effects, so a ratio of 1 is the best
possible result. Two things are measured: the search that users run (AutoRec in the extended space),
and each interactor by itself, which shows whether scores can distinguish structures.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from autorec_core import zoo
from autorec_core.block import candidates
from autorec_core.data.schema import Examples, Schema
from autorec_core.data.synthetic.planted import STRUCTURES, Planted, plant
from autorec_core.evaluation.baselines import BASELINES, Splits
from autorec_core.interactors.hyper import HyperInteraction
from autorec_core.optional import Optional
from autorec_core.recommender import Recommender
from autorec_core.search.records.store import code_hash
from autorec_core.search.workers import processors
from autorec_core.training import Budget
from flows.benchmark.cells import search_and_test
from flows.benchmark.plan import Settings
from flows.benchmark.result_lines import (
    ALONE,
    TRUTH,
    TRUTH_RUNS,
    Line,
    append,
    machine,
    now,
    read_lines,
    versions,
)
from flows.benchmark.run import trial_processes
from flows.benchmark.truth_table import interactors
from flows.config import Params

AS_IT_STANDS = {"refit": False, "ensemble": 1}
"""For an interactor by itself, the best trial is tested without refit and ensemble."""


def run_known_truth(
    params: Params,
    output: Path,
    *,
    rows: int,
    tuners: Sequence[str],
    seeds: Sequence[int],
    trials: int,
    alone: int,
    epochs: int | None,
    workers: int | None,
    command: str,
) -> None:
    """Runs all searches of made-up data whose results are not on disk yet.

    Args:
        params: Parameters with the budget and the shares of the split.
        output: The folder of the result files.
        rows: Number of made-up rows in train, valid and test together.
        tuners: Searchers.
        seeds: Seeds of data, search and training.
        trials: Trials per search.
        alone: Random trials of each interactor by itself; 0 to skip that.
        epochs: Maximum epochs per trial; None for `train.epochs`.
        workers: Trials at the same time; None for one per processor.
        command: The command as typed, which is recorded.
    """
    console = Console(highlight=False, markup=False)
    epochs = min(params.train.epochs, epochs or params.train.epochs)
    budget = {"epochs": epochs, "patience": params.train.patience}
    planted: list[Line] = [
        {"structure": structure, "rows": rows, "seed": seed, "budget": budget}
        for seed in seeds
        for structure in STRUCTURES
    ]
    searches = [{**data, "tuner": name, "trials": trials} for data in planted for name in tuners]
    singles = [
        {**data, "interactor": name, "trials": alone}
        for data in planted
        for name in (offered(plant(str(data["structure"]), 2, seed=0).schema) if alone else ())
    ]
    searches, singles = _left(output / TRUTH, searches), _left(output / ALONE, singles)
    cells = len(searches) + len(singles)
    console.print(f"{cells} searches to run. Results: {output / TRUTH}, {output / ALONE}")
    if not cells:
        return
    began = time.monotonic()
    run = {"run": now(), "command": command, "cells": cells}
    about = {"versions": versions(), "machine": machine(), "code": code_hash()}
    append(output / TRUTH_RUNS, [{**run, **about}])
    size = workers or processors()
    with trial_processes(size) as executor:
        for cell in searches:
            found = _search(params, cell, executor, size)
            append(output / TRUTH, [{**cell, **found, "run": run["run"]}])
            winner = ", ".join(found["interactors"])
            console.print(f"{_summary(cell, cell['tuner'], found)}, winner: {winner}")
        for cell in singles:
            found = _alone(params, cell, executor, size)
            append(output / ALONE, [{**cell, **found, "run": run["run"]}])
            console.print(_summary(cell, cell["interactor"], found))
    seconds = round(time.monotonic() - began, 1)
    end = {"run": run["run"], "ended": now(), "wall_seconds": seconds, "finished": cells}
    append(output / TRUTH_RUNS, [end])


def offered(schema: Schema) -> list[str]:
    """Returns the class names of the interactors that AutoRec may choose in the extended space.

    Args:
        schema: Schema of the data.
    """
    blocks = zoo.build("auto", schema, "extended").blocks().values()
    present = (block.inner[0] if isinstance(block, Optional) else block for block in blocks)
    (searched,) = (block for block in present if isinstance(block, HyperInteraction))
    return list(candidates(searched.interactor_type))


def alone(schema: Schema, interactor: str) -> Recommender:
    """Returns AutoRec in the extended space with one branch of a fixed interactor.

    Args:
        schema: Schema of the data.
        interactor: Class name of the interactor.
    """
    config = zoo.build("auto", schema, "extended").get_config()
    for node in config["nodes"]:
        block = node.get("block", {})
        if block.get("part") == "branches":
            node["block"] = block = block["inner"][0]
        if block.get("block") == "HyperInteraction":
            own = [inner for inner in block["interactors"] if inner["block"] == interactor]
            block |= {
                "meta_interactor_num": 1,
                "interactor_type": interactor,
                "interactors": own,
            }
    return Recommender.from_config(config)


def _left(path: Path, cells: list[Line]) -> list[Line]:
    """Returns the cells that a file does not contain."""
    done = [{name: line.get(name) for name in cells[0]} for line in read_lines(path) if cells]
    return [cell for cell in cells if cell not in done]


def _summary(cell: Line, name: str, found: Line) -> str:
    return f"{cell['structure']} seed {cell['seed']}, {name}: {found['ratio']:.3f} times the floor"


def _search(params: Params, cell: Line, executor: Executor, workers: int) -> Line:
    """Runs one search of a made-up data set. Returns its results, compared with the floor."""
    made, parts, floors = _made(params, cell)
    with tempfile.TemporaryDirectory(prefix="autorec-") as folder:
        result, found = search_and_test(
            zoo.build("auto", made.schema, "extended"),
            parts,
            tuner=cell["tuner"],
            final=Settings.final(params, "extended"),
            folder=Path(folder),
            executor=executor,
            workers=workers,
            **_shared(cell),
        )
    train, valid, test = parts
    splits = Splits(train, valid, test, made.schema, int(cell["seed"]), refit=True)
    others = {
        name: BASELINES[baseline].predict(splits).scores
        for name, baseline in (("mean", "mean"), ("biases", "bias"))
    }
    return {
        **floors,
        "ratio": found["test"]["mse"] / floors["floor"],
        "others": {
            name: float(np.mean(np.square(guess - test.label))) / floors["floor"]
            for name, guess in others.items()
        },
        "interactors": interactors(found["winner"]),
        "choices": offered(made.schema),
        "tried": [
            {"score": trial.score, "interactors": interactors(trial.hyperparameters)}
            for trial in sorted(result.leaderboard, key=lambda trial: trial.number)
        ],
        **found,
    }


def _alone(params: Params, cell: Line, executor: Executor, workers: int) -> Line:
    """Runs trials of one interactor by itself on a made-up data set. Returns their results."""
    made, parts, floors = _made(params, cell)
    with tempfile.TemporaryDirectory(prefix="autorec-") as folder:
        result, found = search_and_test(
            alone(made.schema, cell["interactor"]),
            parts,
            tuner="random",
            final=AS_IT_STANDS,
            folder=Path(folder),
            executor=executor,
            workers=workers,
            **_shared(cell),
        )
    return {
        **floors,
        "ratio": found["test"]["mse"] / floors["floor"],
        "valid_ratio": found["valid"] / floors["valid_floor"],
        "tried": [trial.score for trial in sorted(result.leaderboard, key=lambda t: t.number)],
        **{name: found[name] for name in ("valid", "test", "winner", "completed", "seconds")},
    }


def _made(params: Params, cell: Line) -> tuple[Planted, list[Examples], dict[str, float]]:
    """Returns the made-up rows, their parts, and the floors on valid and test."""
    rows = cell["rows"]
    made = plant(cell["structure"], rows, seed=cell["seed"])
    first, second = (int(rows * share) for share in np.cumsum(params.split.ratios)[:2])
    ends = (0, first, second, rows)
    parts = [made.part(*ends[at : at + 2]) for at in range(3)]
    lost = np.square(made.truth - made.rows.label.astype(np.float64))
    floors = {"floor": float(lost[second:].mean()), "valid_floor": float(lost[first:second].mean())}
    return made, parts, floors


def _shared(cell: Line) -> dict[str, Any]:
    """Returns the settings that both kinds of search take from their cell."""
    return {
        "trials": cell["trials"],
        "budget": Budget(**cell["budget"]),
        "seed": cell["seed"],
    }
