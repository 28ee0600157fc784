"""The result of a run in the terminal, with its warnings."""

from __future__ import annotations

import json

import pytest

from flows.orchestration.run_artifacts import result_markdown
from flows.report.terminal import show_result
from flows.workspace import Places


@pytest.fixture
def places(tmp_path):
    found = Places("shop", tmp_path)
    written = {
        found.evaluation / "metrics.json": {"model": {"ce": 0.01}, "mean": {"ce": 0.3}},
        found.evaluation / "warnings.json": ["The AUC cannot be computed: no test row has it."],
        found.checks / "splits.json": {"notes": ["The column paid [x] alone predicts click"]},
        found.search / "winner" / "result.json": {"hyperparameters": {}},
    }
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return found


def test_warnings_are_printed_below_the_metrics(places, capsys):
    show_result(places, decision="Version 1 stays.", trials=None)

    output = capsys.readouterr().out
    assert "Warning: The column paid [x] alone predicts click." in output
    assert "Warning: The AUC cannot be computed: no test row has it." in output
    text = result_markdown(places, decision="Version 1 stays.")
    assert "**Warning:** The column paid [x] alone predicts click." in text


def test_runs_without_warnings_have_none(places, capsys):
    (places.evaluation / "warnings.json").unlink()
    (places.checks / "splits.json").unlink()

    show_result(places, decision="Version 1 stays.", trials=None)

    assert "Warning" not in capsys.readouterr().out
