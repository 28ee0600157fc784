"""A table of one's own: from a file that nobody has described to a live model."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autorec_core.config import Params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_table")]


def autorec(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=workspace,
        capture_output=True,
        text=True,
        env={**os.environ, "PREFECT_HOME": str(workspace / ".prefect"), "COLUMNS": "160"},
        check=False,
    )


def test_a_table_goes_all_the_way_by_two_commands(make_workspace):
    def edit(params: dict[str, Any]) -> None:
        params["search"] |= {"max_trials": 1, "workers": 0}
        params["train"] |= {"epochs": 2}

    workspace = make_workspace(edit)
    random = np.random.default_rng(3)
    rows = 600
    table = pd.DataFrame(
        {
            "customer": random.integers(0, 30, rows),
            "product": random.integers(0, 50, rows),
            "tags": ["|".join(random.choice(["a", "b", "c", "d"], 2)) for _ in range(rows)],
            "price": random.normal(size=rows).round(2),
        }
    )
    table["clicked"] = (table["tags"].str.contains("a") ^ (random.random(rows) < 0.1)).astype(int)
    packed = gzip.compress(table.to_csv(index=False, sep="\t").encode())
    (workspace / "shop.tsv.gz").write_bytes(packed)

    described = autorec(workspace, "init-dataset", "shop.tsv.gz", "--name", "my_table", "--write")
    assert described.returncode == 0, described.stderr
    entry = Params.load(workspace / "params.yaml").dataset("my_table")
    assert list(entry.multi_valued) == ["tags"]

    done = autorec(workspace, "run", "my_table")
    assert done.returncode == 0, done.stdout + done.stderr

    table.drop(columns="clicked").to_csv(workspace / "new.csv", index=False)
    scored = autorec(workspace, "score", "my_table", "--input", "new.csv", "--output", "out.csv")
    assert scored.returncode == 0, scored.stderr
    scores = pd.read_csv(workspace / "out.csv")["score"]
    assert len(scores) == rows
    assert scores.between(0, 1).all()
    assert scores[table["clicked"] == 1].mean() > scores[table["clicked"] == 0].mean()
