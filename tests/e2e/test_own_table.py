"""A table of one's own: the tutorial, from a file that nobody has described to scores."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pages import ROOT, CodeBlock, blocks, run_block

from autorec_core.config import Params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_table")]


def test_a_table_goes_all_the_way_by_the_tutorials_commands(make_workspace):
    def edit(params: dict[str, Any]) -> None:
        params["search"] |= {"max_trials": 1, "workers": 0}
        params["train"] |= {"epochs": 3}

    workspace = make_workspace(edit)
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language in ("bash", "python"):
            run_block(block, workspace)

    entry = Params.load(workspace / "params.yaml").dataset("listens")
    assert list(entry.multi_valued) == ["genres"]
    assert pd.read_csv(workspace / "scores.csv")["score"].between(0, 1).all()

    score = "autorec score listens --input listens.csv --output all.csv"
    run_block(CodeBlock("bash", "", score), workspace)
    scored = pd.read_csv(workspace / "all.csv").groupby("liked")["score"].mean()
    assert scored[1] > scored[0]
