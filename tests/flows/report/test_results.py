"""A registered metric or baseline appears wherever figures are shown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from autorec_core import metrics
from autorec_core.data.schema import Examples, Field, Schema
from autorec_core.evaluation import baselines
from autorec_core.evaluation.baselines import Baseline, Prediction, Splits
from autorec_core.evaluation.figures import evaluate, loss_intervals
from autorec_core.files import write_json
from flows import results
from flows.orchestration.run_artifacts import result_markdown
from flows.report import terminal
from flows.report.charts.trials import progress
from flows.report.collect import _figures
from flows.report.page import render
from flows.stages.evaluate import documented
from flows.workspace import Places


def examples(random, rows):
    ids = random.integers(1, 6, (rows, 2)).astype(np.int32)
    label = 3 + (ids[:, 0] % 3) / 2 + random.normal(0, 0.1, rows)
    return Examples(ids, np.zeros((rows, 0), np.float32), label.astype(np.float32))


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A workspace whose model was evaluated with a metric and a baseline more."""
    within = metrics.Metric(
        "within_half", "max", lambda labels, found: np.mean(abs(labels - found) <= 0.5), ("rating",)
    )
    monkeypatch.setitem(metrics.METRICS, within.name, within)
    lowest = Baseline(
        "lowest",
        "always the lowest label",
        ("rating",),
        lambda splits: Prediction(np.full(len(splits.test), 3.0), {"label": 3.0}),
    )
    monkeypatch.setitem(baselines.BASELINES, lowest.name, lowest)
    random = np.random.default_rng(0)
    train, valid, test = (examples(random, rows) for rows in (400, 50, 60))
    schema = Schema(
        "rating", "rating", (Field("user", 6), Field("item", 6)), (), "user", "item", (2.0, 5.0)
    )
    outcome = evaluate(test.label, Splits(train, valid, test, schema, seed=1, refit=False))
    places = Places("small", tmp_path)
    write_json(places.evaluation / "metrics.json", documented(outcome))
    intervals = loss_intervals("rating", outcome.losses, 1)
    write_json(places.evaluation / "intervals.json", intervals)
    write_json(places.search / "winner" / "result.json", {"hyperparameters": {}})
    return places


def test_files_and_lineage_have_it(places):
    figures = results.test_figures(places)

    assert list(figures) == ["model", "mean", "bias", "lowest"]
    assert list(figures["model"]) == ["mse", "rmse", "mae", "within_half"]
    assert figures["model"]["within_half"] == 1.0


def test_the_terminal_shows_it_and_a_baseline_s_chosen_settings(places, monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(
        terminal, "Console", lambda **_: Console(file=shown, width=200, highlight=False)
    )

    terminal.show_result(places, decision="It stays.", trials=None)
    markdown = result_markdown(places, decision="It stays.")

    for text in (shown.getvalue(), markdown):
        assert "WITHIN_HALF" in text
        assert "always the lowest label (label = 3)" in text
        assert "user and item biases (damping = " in text


def test_the_report_shows_it(places, rating_run):
    import dataclasses
    from datetime import UTC, datetime

    figures = _figures(places, {**_json(places), "level": 0.95})
    # Only what has figures of the new baseline is of interest here.
    run = dataclasses.replace(rating_run, figures=figures, activity=(), decision=None)

    page = render(run, seed=1, digest="d", built=datetime(2026, 1, 1, tzinfo=UTC))

    assert "WITHIN_HALF" in page
    assert "always the lowest label" in page
    assert "label = 3" in page


def _json(places):
    import json

    return json.loads((places.evaluation / "intervals.json").read_text(encoding="utf-8"))


def test_figures_that_this_code_does_not_know_are_shown_under_their_names(tmp_path):
    places = Places("small", tmp_path)
    write_json(
        places.evaluation / "metrics.json",
        {"earlier": {"gini": 0.2}, "model": {"gini": 0.1, "ce": 0.5}},
    )

    assert results.test_figures(places) == {
        "model": {"ce": 0.5, "gini": 0.1},
        "earlier": {"gini": 0.2},
    }
    assert results.title_of("earlier") == "earlier"


def test_the_best_trial_so_far_follows_the_metrics_own_direction(places, rating_run):
    import dataclasses

    winner = dataclasses.replace(rating_run.winner, objective="val_within_half")
    run = dataclasses.replace(rating_run, winner=winner)

    rows = (
        progress(run)["layer"][0]["data"]["values"]
        if "data" in progress(run)["layer"][0]
        else (progress(run)["data"]["values"])
    )

    best = [row["best"] for row in rows]
    assert best == sorted(best)
    assert best[-1] == max(row["score"] for row in rows)
