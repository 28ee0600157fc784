"""A shop with tables of users and items: the page's commands, and scores from ids alone."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import side_tables as shop
from pages import ROOT, blocks, run, surroundings
from team import Shell

from autorec_core.scorer import Scorer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("side_tables")]

CONSUMER = """
import json, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pd.DataFrame({"user": ["3", "39", "nobody"], "item": ["2", "54", "59"]})
print(json.dumps([float(score) for score in model.predict(rows)]))
"""


@pytest.fixture(scope="module")
def shell(make_workspace) -> Shell:
    """What the page's blocks leave behind."""

    def edit(params: dict[str, Any]) -> None:
        params["search"] |= {"max_trials": 1, "workers": 0}
        params["train"] |= {"epochs": 30}
        params["registry"] |= {"min_test_rows": 10}

    workspace: Path = make_workspace(edit)
    shop.write_sources(workspace)
    shell = Shell(workspace, surroundings(workspace))
    shell.types("autorec init-dataset ratings.csv --users users.csv --items items.parquet --write")
    shell.types("autorec run ratings")
    return shell


def scored(shell: Shell, rows: pd.DataFrame) -> np.ndarray:
    rows.to_csv(shell.folder / "rows.csv", index=False)
    command = "autorec score ratings --input rows.csv --output scores.csv --allow-unknown"
    shell.runs(command)
    return pd.read_csv(shell.folder / "scores.csv")["score"].to_numpy()


def test_rows_with_ids_alone_are_scored_as_rows_joined_by_hand(shell):
    by_hand = shop.joined_by_hand().head(100)
    narrow = scored(shell, by_hand[["user", "item"]])

    scorer = Scorer.load(shell.folder / "data" / "model" / "ratings")
    plain = dataclasses.replace(scorer.preprocessor.schema, tables=())
    wide = dataclasses.replace(scorer.preprocessor, schema=plain, tables={})
    assert wide.schema.columns == ["user", "item", "town", "brand", "kinds", "age", "price"]
    assert len(np.unique(narrow)) > 10
    np.testing.assert_allclose(Scorer(wide, scorer.model).score(by_hand), narrow, rtol=1e-6)


def test_lists_hold_only_items_that_fulfil_a_condition(shell):
    shell.types(
        "autorec recommend ratings --all "
        "--where \"brand in ('brand 1', 'brand 2') and price > 20\" --output lists.csv"
    )

    lists = pd.read_csv(shell.folder / "lists.csv")
    items = lists["item"].unique()
    assert (lists["title"] == "Thing " + lists["item"].astype(str)).all()
    assert len(items) > 5
    assert {item % 5 for item in items} == {1, 2}
    assert min(items) * 1.5 > 20
    assert not any(item % 6 == 0 for item in items)  # they have no price


def test_the_version_carries_its_tables_wherever_it_is(shell, tmp_path):
    page = blocks(ROOT / "docs" / "how-to" / "add-side-tables.md")
    (python,) = (block for block in page if "load_tables" in block.text)
    printed = run([sys.executable, "-c", python.text], shell.folder, shell.environment)
    assert '"Thing 1"' in printed

    ask = (
        "import mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db'); "
        "print(mlflow.artifacts.download_artifacts('models:/autorec-ratings@champion', "
        f"dst_path={str(tmp_path / 'moved')!r}))"
    )
    shell.runs(f'python -c "{ask}"')
    rows = pd.DataFrame({"user": ["3", "39", "nobody"], "item": ["2", "54", "59"]})
    expected = scored(shell, rows)
    program = tmp_path / "consumer.py"
    program.write_text(CONSUMER)
    alone = run(
        [sys.executable, "-P", str(program), str(tmp_path / "moved")],
        tmp_path,
        surroundings(tmp_path),
    )
    np.testing.assert_allclose(json.loads(alone.splitlines()[-1]), expected, rtol=1e-6)


def test_a_changed_table_runs_the_later_stages_again(shell):
    assert "up to date" in shell.runs("dvc status evaluate@ratings")
    shop.users().assign(town="Ede").to_csv(shell.folder / "users.csv", index=False)
    shell.runs("dvc repro --quiet --force --single-item fetch@ratings")
    shell.runs("dvc repro --quiet prepare@ratings")

    prepared = shell.folder / "data" / "prepared" / "ratings"
    profile = json.loads((prepared / "profile.json").read_text())
    assert profile["tables"] == {"users": 40, "items": 60}
    assert profile["splits"]["train"]["categories"]["town"] == 2  # Ede, and missing
