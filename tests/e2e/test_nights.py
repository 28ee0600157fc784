"""Runs one after the other: the first searches, the next ones train the champion's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pages import surroundings
from team import Shell, make_small, write_ratings

from flows.results import leaderboard_rows
from flows.workspace import Places

DATASET = "tiny"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("nights"),
    pytest.mark.timeout(1800),  # a machine that is busy elsewhere takes its time
]


class Nights:
    """A workspace with two runs: on the first rows, and with more rows of the same kind."""

    def __init__(self, workspace: Path) -> None:
        self.places = Places(DATASET, workspace)
        self.shell = Shell(workspace, surroundings(workspace))
        self.rows = workspace / "data" / "incoming" / DATASET / "rows.tsv"
        write_ratings(self.rows)
        lines = self.rows.read_text(encoding="utf-8").splitlines(keepends=True)
        self.rows.write_text("".join(lines[:1080]), encoding="utf-8")
        self.first = self.run()
        self.searched = self.winner()
        self.rows.write_text("".join(lines), encoding="utf-8")
        self.second = self.run()

    def run(self) -> str:
        return self.shell.runs(f"python -m flows.cli run {DATASET}")

    def winner(self) -> dict[str, Any]:
        path = self.places.search / "winner" / "result.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def plan(self) -> dict[str, Any]:
        return json.loads((self.places.plan / "plan.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def nights(make_workspace) -> Nights:
    def edit(params: dict[str, Any]) -> None:
        make_small(params, DATASET)
        params["train"] |= {"ensemble": 1, "refit": True}
        params["datasets"][DATASET]["facts"] |= {"unique": []}

    return Nights(make_workspace(edit))


def test_the_first_run_searches_and_says_why(nights):
    assert "Trained by a search. There is no champion yet" in nights.first
    assert "Version 1 is the new champion" in nights.first


def test_more_rows_are_trained_with_the_champions_settings_alone(nights):
    assert "Trained with the champion's settings, without a search." in nights.second
    trials = leaderboard_rows(nights.places)
    assert [json.loads(trial["hyperparameters"]) for trial in trials] == [
        nights.searched["hyperparameters"]
    ]
    # One training on all rows, as long as in the search; none before it that is judged on valid.
    assert [(trial["status"], trial["score"]) for trial in trials] == [("refitted", "")]
    assert nights.winner()["schedules"] == nights.searched["schedules"]
    assert nights.plan()["champion"] == 1
    card = nights.places.report.with_name("model_card.md").read_text(encoding="utf-8")
    assert "Trained with the champion's settings, without a search. Nothing calls for" in card


def test_a_run_without_news_trains_nothing(nights):
    before = (nights.places.search / "leaderboard.csv").stat().st_mtime_ns

    nights.run()

    assert (nights.places.search / "leaderboard.csv").stat().st_mtime_ns == before
    assert "up to date" in nights.shell.runs("python -m dvc repro")


def test_a_version_trained_without_a_search_is_rebuilt_to_the_last_digit(nights):
    said = nights.shell.runs(f"python -m flows.cli reproduce {DATASET} --version 2")

    assert "Equal to the last digit." in said


def test_a_changed_parameter_of_the_search_is_searched_by_hand_and_by_a_run(nights):
    params = nights.places.root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("max_trials: 2", "max_trials: 3"), encoding="utf-8")

    nights.shell.runs("python -m dvc repro -q")
    by_hand = leaderboard_rows(nights.places)
    said = nights.run()

    assert len(by_hand) == 3
    assert "Trained by a search." in said
