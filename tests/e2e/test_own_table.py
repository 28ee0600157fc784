"""A table of your own: the tutorial, from a file without an entry to scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pages import ROOT, CodeBlock, blocks, run_block, surroundings
from team import Shell, answers, eventually, free_port

from flows.config import Params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_table")]


@pytest.fixture(scope="module")
def workspace(make_workspace) -> Path:
    """What the tutorial's blocks leave behind."""

    def edit(params: dict[str, Any]) -> None:
        params["search"] |= {"max_trials": 1, "workers": 0}
        params["train"] |= {"epochs": 3}
        params["serve"] |= {"port": free_port()}

    plain: Path = make_workspace(edit)
    made = plain.rename(plain.with_name("my tables #1%20? größe"))  # a folder of a user's own
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language in ("bash", "python"):
            run_block(block, made)
    return made


def test_a_table_goes_all_the_way_by_the_tutorials_commands(workspace):
    entry = Params.load(workspace / "params.yaml").dataset("listens")
    assert list(entry.multi_valued) == ["genres"]
    assert pd.read_csv(workspace / "scores.csv")["score"].between(0, 1).all()

    score = "autorec score listens --input listens.csv --output all.csv"
    run_block(CodeBlock("bash", "", score), workspace)
    scored = pd.read_csv(workspace / "all.csv").groupby("liked")["score"].mean()
    assert scored[1] > scored[0]


def test_lists_hold_the_songs_asked_for(workspace):
    lists = pd.read_csv(workspace / "lists.csv")
    assert lists.groupby("user_id").size().to_dict() == {"nobody": 3, "u1": 3, "u2": 3}
    rock = pd.read_csv(workspace / "listens.csv").groupby("song")["genres"].first()
    assert all("rock" in rock[song].split("|") for song in lists["song"])
    assert set(lists.loc[lists["user_id"] == "nobody", "reason"]) == {"popular"}


def test_its_model_is_served_and_searched_on(workspace):
    shell = Shell(workspace, surroundings(workspace))
    with shell.starts("autorec serve listens"):
        address = f"http://127.0.0.1:{shell.params()['serve']['port']}/health"
        eventually(lambda: answers(address), "it does not serve")

    searched = workspace / "data" / "search"
    before = (searched / "listens" / "leaderboard.csv").stat().st_mtime_ns
    shell.types("dvc exp run -S search.tuner=greedy evaluate@listens")

    assert (searched / "listens" / "leaderboard.csv").stat().st_mtime_ns > before
    assert [path.name for path in searched.iterdir()] == ["listens"]  # no other data set's
