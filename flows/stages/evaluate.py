"""The evaluate stage: joins winner and preprocessing to a scorer and scores test once."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.evaluation.baselines import Splits
from autorec_core.evaluation.breakdown import activity, calibration, residuals
from autorec_core.evaluation.figures import Evaluation, loss_intervals
from autorec_core.evaluation.figures import evaluate as evaluate_scores
from autorec_core.evaluation.intervals import clusters_of
from autorec_core.evaluation.list_figures import (
    CandidateRows,
    evaluate_lists,
    list_intervals,
    test_lists,
)
from autorec_core.files import write_json, write_text
from autorec_core.registration import register_layers
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.tracking import mlflow_runs, outbox
from flows.workspace import Places

EMPTY = {
    "calibration": "predicted,observed,low,high,rows",
    "residuals": "label,low,high,rows",
    "activity": "by,least,most,rows,ids,loss,low,high",
}
"""The head of each table of the breakdown, for one without rows."""
logger = logging.getLogger(__name__)


def run(params: Params, places: Places) -> None:
    """Writes the scorer and its test metrics.

    Loads the saved scorer and gives it raw rows, as a user of the model does.
    """
    register_layers()
    import keras

    preprocessor = Preprocessor.load(places.prepared)
    winner = places.search / "winner" / "model.keras"
    model = keras.saving.load_model(winner, compile=False, safe_mode=True)
    Scorer(preprocessor, model).save(places.model)

    scorer, schema = Scorer.load(places.model), preprocessor.schema
    train, valid, test = (load_examples(places.prepared, part) for part in PARTS)
    splits = Splits(train, valid, test, schema, params.seed, refit=params.train.refit)
    if schema.task == "ranking":
        _evaluate_lists(places, scorer, splits)
        return
    rows = load_rows(places.prepared, "test")
    scores = scorer.score(rows[schema.columns])
    users = None if schema.user is None else clusters_of(rows[schema.user])
    outcome = evaluate_scores(scores, splits, users)
    breakdown: dict[str, Sequence[Any]] = {
        "calibration": calibration(test.label, scores, params.seed, users),
        "residuals": residuals(test.label, scores),
        "activity": activity(outcome.losses, splits.known, test, schema, params.seed, users),
    }
    intervals = loss_intervals(schema.task, outcome.losses, params.seed, users)
    _write(places, outcome, breakdown, intervals)


def _evaluate_lists(places: Places, scorer: Scorer, splits: Splits) -> None:
    """Writes the metrics of users' lists over the full catalogue."""
    schema, known, test = splits.schema, splits.known, splits.test
    lists = test_lists(splits)
    candidates = CandidateRows.of(lists, known, test, schema)

    def scores(first: int, last: int) -> np.ndarray:
        inputs = candidates.inputs(first, last)
        count = (last - first) * len(lists.items)
        return scorer.score_encoded(inputs, count).reshape(last - first, -1)

    judged = evaluate_lists(scores, lists, splits)
    outcome = judged.evaluation
    of_users = candidates.users
    breakdown: dict[str, Sequence[Any]] = {
        "calibration": [],
        "residuals": [],
        "activity": activity(
            outcome.losses,
            known,
            of_users,
            dataclasses.replace(schema, item=None),
            splits.seed,
        ),
    }
    intervals = loss_intervals(schema.task, outcome.losses, splits.seed)
    intervals["metrics"] = list_intervals(judged, splits.seed)
    _write(places, outcome, breakdown, intervals)


def _write(
    places: Places,
    outcome: Evaluation,
    breakdown: Mapping[str, Sequence[Any]],
    intervals: Mapping[str, Any],
) -> None:
    for warning in outcome.warnings:
        logger.warning(warning)
    _write_breakdown(places, outcome.losses, breakdown)
    write_json(places.evaluation / "intervals.json", dict(intervals))
    write_json(places.evaluation / "metrics.json", documented(outcome))
    write_json(places.evaluation / "warnings.json", list(outcome.warnings))
    _track(places, outcome.figures)


def documented(outcome: Evaluation) -> dict[str, dict[str, Any]]:
    """Returns the content of `metrics.json`: test metrics, and the baselines' chosen settings."""
    chosen = {name: {"chosen": settings} for name, settings in outcome.chosen.items()}
    return {name: {**figures, **chosen.get(name, {})} for name, figures in outcome.figures.items()}


def _write_breakdown(
    places: Places, losses: Mapping[str, np.ndarray], breakdown: Mapping[str, Sequence[Any]]
) -> None:
    """Writes each table of the breakdown as CSV, with one column per baseline if it has them."""
    baselines = [name for name in losses if name != "model"]
    for name, rows in breakdown.items():
        if not rows:  # a table of interactions has no calibration
            write_text(places.evaluation / f"{name}.csv", f"{EMPTY[name]}\n")
            continue
        plain = [asdict(row) for row in rows]
        for row in plain:
            found = row.pop("baselines", {})
            row |= {f"loss_{baseline}": found[baseline] for baseline in baselines if found}
        table = pd.DataFrame(plain).to_csv(index=False, lineterminator="\n")
        write_text(places.evaluation / f"{name}.csv", table)


def _track(places: Places, figures: dict[str, dict[str, float]]) -> None:
    """Adds the test metrics to the MLflow run of the search, if there is one."""
    run = mlflow_runs.search_run(places) if outbox.settle(places) else None
    if run is None:
        return
    flat = {
        f"test_{metric}" if name == "model" else f"test_{metric}_{name}": value
        for name, values in figures.items()
        for metric, value in values.items()
    }
    mlflow_runs.attempt(
        lambda: mlflow_runs.log_figures(
            places.root, run, flat, [places.evaluation / "metrics.json"]
        )
    )
