"""From a file of who took what to lists of what they may like: `task: ranking`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import surroundings
from team import Shell

from flows.config import Params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interactions")]
USERS, ITEMS = 300, 40


@pytest.fixture(scope="module")
def workspace(make_workspace) -> Path:
    """A run on purchases: each user buys from one half of the items."""

    def edit(params: dict[str, Any]) -> None:
        params["search"] |= {"max_trials": 1, "workers": 0}
        params["train"] |= {"epochs": 2}

    made: Path = make_workspace(edit)
    random = np.random.default_rng(0)
    rows = [
        (f"u{user}", f"i{item}", 1_700_000_000 + int(random.integers(10**6)))
        for user in range(USERS)
        for item in np.flatnonzero(random.random(ITEMS) < 0.6)
        if (item < ITEMS // 2) == (user % 2 == 0)
    ]
    table = pd.DataFrame(rows, columns=["user", "item", "time"]).sample(frac=1, random_state=0)
    table.to_csv(made / "purchases.csv", index=False)
    shell = Shell(made, surroundings(made))
    shell.types("autorec init-dataset purchases.csv --task ranking --write")
    shell.types("autorec run purchases")
    shell.types("autorec recommend purchases --all --output lists.parquet", also="--top 5")
    shell.runs("autorec score purchases --input purchases.csv --output scores.csv")
    return made


def test_the_lists_hold_new_items_of_the_users_taste(workspace):
    lists = pd.read_parquet(workspace / "lists.parquet")
    bought = set(pd.read_csv(workspace / "purchases.csv")[["user", "item"]].itertuples(index=False))
    assert lists["user"].nunique() == USERS
    assert not any((row.user, row.item) in bought for row in lists.itertuples())
    own = lists["item"].str[1:].astype(int) < ITEMS // 2
    fits = own == (lists["user"].str[1:].astype(int) % 2 == 0)
    assert fits[lists["rank"] == 1].mean() > 0.95


def test_the_evaluation_compares_lists_and_the_model_is_live(workspace):
    entry = Params.load(workspace / "params.yaml").dataset("purchases")
    assert (entry.task, entry.label, entry.user, entry.item) == ("ranking", None, "user", "item")
    folder = workspace / "data" / "evaluation" / "purchases"
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert set(figures) == {"model", "popularity", "item_knn", "als", "ease"}
    assert figures["model"]["ndcg@10"] > 1.5 * figures["popularity"]["ndcg@10"]
    decision = json.loads(
        (workspace / "reports" / "gate" / "purchases.json").read_text(encoding="utf-8")
    )
    names = [check["name"] for check in decision["checks"]]
    assert names == ["loss compared with popular items", "enough test users", "data checks"]
    assert all(check["passed"] for check in decision["checks"])
    report = (workspace / "reports" / "run" / "purchases" / "index.html").read_text("utf-8")
    assert "NDCG@10" in report
