"""Facts of two runs, a rating and a click model, small enough to be counted by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from autorec_core.evaluation.breakdown import ActivityRow, calibration, residuals
from autorec_core.evaluation.intervals import Interval
from flows.registry.decision import Check, Decision, Grounds
from flows.report.facts import (
    CurvePoint,
    Expectation,
    Figures,
    Registered,
    Run,
    Split,
    Trial,
    Winner,
)

RATES = (0.001, 0.003, 0.01)
TYPES = ("FMInteraction", "MLPInteraction", "CrossNetInteraction")


def trials(count: int, objective_at: float) -> tuple[Trial, ...]:
    """Trials whose score is decided by the learning rate, and one that failed."""
    found = []
    for number in range(count):
        settings: dict[str, Any] = {
            "learning_rate": RATES[number % 3],
            "embedding_dim": (16, 32)[number % 2],
            "hyper_interaction_1/meta_interactor_num": number % 2,
        }
        if number % 2:
            settings["hyper_interaction_1/interactor_type_0"] = TYPES[number % 3]
        score = objective_at + 0.1 * (number % 3) + 0.0001 * number
        found.append(Trial(0, number, "completed", score, 3, 2.5, settings, ""))
    found.sort(key=lambda trial: trial.score)
    failed = Trial(0, count, "failed", None, 0, 0.5, {}, "ran out of memory <at> & once")
    return tuple(
        dataclasses.replace(trial, rank=rank) for rank, trial in enumerate([*found, failed], 1)
    )


def node(name: str, block: str, parents: list[str], **settings: Any) -> dict[str, Any]:
    return {"name": name, "block": {"block": block, **settings}, "parents": parents}


RECOMMENDER = {
    "recommender": "RPRecommender",
    "nodes": [
        {"name": "categorical", "shape": [2], "dtype": "int32"},
        node("user", "LatentFactorMapper", ["categorical"], feat_column_id=0, embedding_dim=16),
        node("item", "LatentFactorMapper", ["categorical"], feat_column_id=1, embedding_dim=16),
        node(
            "parallel_1",
            "Parallel",
            ["user", "item"],
            branches=[{"block": "FMInteraction"}, {"block": "MLPInteraction", "units": 32}],
        ),
        node("bias", "BiasMapper", ["categorical"], vocabulary_sizes=[944, 1651], l2=3.0),
        node("out", "RatingPredictionOptimizer", ["parallel_1", "bias"], scaling="clip"),
    ],
    "training": {"block": "Training", "learning_rate": 0.001},
}


def split(name: str, rows: int, counts: dict[str, int]) -> Split:
    mean = sum(float(label) * count for label, count in counts.items()) / rows
    unknown = {"user_id": 0.0, "item_id": 0.02}
    return Split(name, rows, mean, counts, {"user_id": 943, "item_id": 1650}, unknown, {}, {})


def activity_rows(
    by: str, bounds: list[tuple[int, int | None]], baseline: str = "bias"
) -> list[ActivityRow]:
    return [
        ActivityRow(by, least, most, 50, 7, 1.0 - 0.1 * at, 0.9 - 0.1 * at, 1.1 - 0.1 * at,
                    {"mean": 1.3, baseline: 1.1})
        for at, (least, most) in enumerate(bounds)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def rating_run() -> Run:
    random = np.random.default_rng(1)
    labels = random.integers(1, 6, 400).astype(float)
    scores = np.clip(labels + random.normal(0, 0.8, 400), 1, 5)
    tried = trials(12, 0.8)
    best = tried[0]
    curves = tuple(
        CurvePoint(trial.number, step, float(step), 1.0 / step, (trial.score or 0) + 0.1 / step)
        for trial in tried
        if trial.score is not None
        for step in (1, 2, 3)
    )
    return Run(
        dataset="movielens-100k",
        title="MovieLens <100K>",
        task="rating",
        label="rating",
        columns=("user_id", "item_id"),
        places=("user_id", "item_id"),
        user="user_id",
        item="item_id",
        loss="mse",
        level=0.95,
        figures=(
            Figures("model", "AutoRec", {"mse": 0.75, "rmse": 0.866, "mae": 0.67},
                    Interval(0.75, 0.73, 0.77), None),
            Figures("mean", "predict the mean", {"mse": 1.27, "rmse": 1.127, "mae": 0.94},
                    Interval(1.27, 1.24, 1.3), Interval(-0.52, -0.55, -0.49)),
            Figures("bias", "user and item biases", {"mse": 0.9, "rmse": 0.949, "mae": 0.74},
                    Interval(0.9, 0.87, 0.93), Interval(-0.15, -0.16, -0.14)),
        ),
        trials=tried,
        curves=curves,
        winner=Winner(best.number, "val_mse", best.score or 0.0, 3, best.hyperparameters,
                      RECOMMENDER, True, (best.number,)),
        calibration=tuple(calibration(labels, scores, 1)),
        residuals=tuple(residuals(labels, scores)),
        activity=(
            *activity_rows("user_id", [(5, 9), (10, 19), (100_000, None)]),
            *activity_rows("item_id", [(0, 0), (1, 1), (2, 4)]),
        ),
        splits=(
            split("train", 80, {"1": 20, "5": 60}),
            split("valid", 10, {"1": 3, "5": 7}),
            split("test", 10, {"1": 2, "5": 8}),
        ),
        bad_rows=0,
        raw_columns=("user_id", "item_id"),
        expectations=(
            Expectation("raw rows", "table columns to match set", "", "", "error", True, 100, 0),
            Expectation("train", "values to be between", "user_id", "min 0", "error", True, 80, 0),
        ),
        versions=(
            Registered(2, (), {"mse": 0.75}, "Version 1 stays champion: too close."),
            Registered(1, ("champion",), {"mse": 0.74}, "Version 1 is the new champion."),
        ),
        version=Registered(2, (), {"mse": 0.75}, "Version 1 stays champion: too close."),
        decision=Decision(
            Grounds(2, 1),
            (
                Check("loss", 0.74, 0.75, 0.74, False, "95% interval of the difference +0 to +1"),
                Check("data checks", None, 2, 2, True, "2 of 2 passed"),
            ),
            "too close",
        ),
        lineage={"dvc.raw": "9" * 32 + ".dir", "git.commit": "a" * 40, "seed": "13"},
        params={"seed": 13, "search.max_trials": 13},
    )  # fmt: skip


@pytest.fixture(scope="session")
def ctr_run(rating_run) -> Run:
    """A click model without user and item, with numbers, few trials and no registry."""
    random = np.random.default_rng(2)
    scores = random.random(400)
    labels = (random.random(400) < scores).astype(float)
    tried = trials(3, 0.4)
    best = tried[0]
    columns = tuple(f"C{number}" for number in range(1, 27))
    numbers = tuple(f"I{number}" for number in range(1, 14))
    recommender = {
        "recommender": "CTRRecommender",
        "nodes": [
            {"name": "categorical", "shape": [26], "dtype": "int32"},
            {"name": "numeric", "shape": [13], "dtype": "float32"},
            node("sparse", "SparseFeatureMapper", ["categorical"], vocabulary_sizes=[9] * 26),
            node("dense", "DenseFeatureMapper", ["numeric"], output="fields"),
            node("mlp", "MLPInteraction", ["sparse", "dense"], units=32, num_layers=2),
            node("out", "CTRPredictionOptimizer", ["mlp", "numeric"]),
        ],
    }
    splits = tuple(
        Split(part, rows, 0.25, {"0": 3 * rows // 4, "1": rows // 4},
              dict.fromkeys(columns, 9), dict.fromkeys(columns, 0.001),
              dict.fromkeys(numbers, 0.4),
              {name: {"0.01": 0.0, "0.5": 2.0, "0.99": 99.0} for name in numbers})
        for part, rows in (("train", 800), ("valid", 100), ("test", 100))
    )  # fmt: skip
    return dataclasses.replace(
        rating_run,
        dataset="criteo",
        title="Criteo",
        task="ctr",
        label="label",
        columns=columns,
        places=columns,
        user=None,
        item=None,
        loss="ce",
        figures=(
            Figures("model", "AutoRec", {"ce": 0.46, "auc": 0.75}, Interval(0.46, 0.44, 0.48),
                    None),
            Figures("mean", "predict the mean", {"ce": 0.52, "auc": 0.5},
                    Interval(0.52, 0.5, 0.54), Interval(-0.06, -0.07, -0.05)),
            Figures("logistic", "logistic regression", {"ce": 0.457, "auc": 0.75},
                    Interval(0.457, 0.44, 0.47), Interval(0.003, -0.004, 0.01)),
        ),
        trials=tried,
        curves=tuple(CurvePoint(trial.number, 1, 0.5, 0.5, 0.5) for trial in tried[:3]),
        winner=Winner(best.number, "val_ce", best.score or 0.0, 3, best.hyperparameters,
                      recommender, False, (best.number,)),
        calibration=tuple(calibration(labels, scores, 1)),
        residuals=tuple(residuals(labels, scores)),
        activity=tuple(
            activity_rows("unknown values", [(0, 0), (1, 1), (2, 4)], "logistic")
        ),
        splits=splits,
        versions=(),
        version=None,
        decision=None,
    )  # fmt: skip


@pytest.fixture(scope="session")
def settings_run(rating_run: Run) -> Run:
    """A run without a search: two known candidates were trained again, and not judged on valid."""
    kept = tuple(
        dataclasses.replace(trial, status="refitted", score=None, epochs=8.0)
        for trial in rating_run.trials[:2]
    )
    winner = dataclasses.replace(
        rating_run.winner, score=None, members=tuple(trial.number for trial in kept)
    )
    reason = "Nothing calls for a search since version 1."
    return dataclasses.replace(
        rating_run, trials=kept, curves=(), winner=winner, mode="settings", reason=reason
    )
