"""The main job on real data: from nothing to a live model that scores raw rows.

One workspace is built once by `make run` on MovieLens 100K with a small budget. The tests look at
what it left behind, then go on with it by the commands that README and documentation show.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from pages import ROOT, blocks, run_block, surroundings
from team import MINE as DATASET
from team import Shell, answers, eventually, free_port, furnish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("main_job")]


def command(workspace: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Runs `python -m ...` in the workspace as a user would, with its own tracking store."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=workspace,
        capture_output=True,
        text=True,
        env=surroundings(workspace),
        check=False,
    )


@pytest.fixture(scope="module")
def workspace(make_workspace) -> Path:
    def edit(params: dict[str, Any]) -> None:
        params["search"] |= {"max_trials": 2}
        params["train"] |= {"epochs": 4}
        params["serve"] |= {"port": free_port()}

    made: Path = make_workspace(edit)
    furnish(made)
    return made


@pytest.fixture(scope="module")
def shell(workspace) -> Shell:
    return Shell(workspace, surroundings(workspace))


@pytest.fixture(scope="module")
def first_run(shell) -> str:
    """What the first command of all prints."""
    return shell.types("make run")


def test_one_command_ends_with_a_champion(shell, first_run):
    assert "Version 1 is the new champion" in first_run
    assert "champion" in shell.types("autorec models movielens-100k")


def test_the_model_beats_both_baselines_even_on_a_small_budget(workspace, first_run):
    figures = json.loads(
        (workspace / "data" / "evaluation" / DATASET / "metrics.json").read_text(encoding="utf-8")
    )

    assert figures["model"]["mse"] < figures["bias"]["mse"] < figures["mean"]["mse"]
    assert figures["model"]["rmse"] == pytest.approx(figures["model"]["mse"] ** 0.5, rel=1e-6)


def test_a_second_repro_finds_nothing_to_do(workspace, first_run):
    again = command(workspace, "dvc", "repro")

    assert again.returncode == 0, again.stderr
    assert "Data and pipelines are up to date." in again.stdout


def test_dvc_shows_metrics_and_plots(workspace, first_run):
    metrics = command(workspace, "dvc", "metrics", "show", "--json")
    plots = command(workspace, "dvc", "plots", "show", "--json")

    assert "mse" in metrics.stdout
    assert "curves.csv" in plots.stdout


def test_raw_rows_are_scored_with_unknown_users_too(workspace, first_run):
    rows = pd.DataFrame({"user_id": [196, 999_999, 196], "item_id": [242, 242, 888_888]})
    rows.to_csv(workspace / "rows.csv", index=False)

    answer = command(
        workspace, "flows.cli", "score", DATASET, "--input", "rows.csv", "--output", "scores.csv"
    )

    assert answer.returncode == 0, answer.stderr
    scores = pd.read_csv(workspace / "scores.csv")
    assert list(scores.columns) == ["user_id", "item_id", "score"]
    assert scores["user_id"].tolist() == [196, 999_999, 196]
    assert scores["score"].between(1, 5).all()


def test_the_blocks_of_the_readme_run(workspace, first_run):
    found = [block for block in blocks(ROOT / "README.md") if block.language in ("bash", "python")]
    said = {block.text: run_block(block, workspace) for block in found}

    (ten_lines,) = [block.text for block in found if block.language == "python"]
    assert "hyper_interaction_1/interactor_type_0" in said[ten_lines]
    assert (workspace / "winner.keras").exists()


CONSUMER = """
import mlflow, pandas
mlflow.set_tracking_uri("sqlite:///mlflow.db")
model = mlflow.pyfunc.load_model("models:/autorec-movielens-100k@champion")
print(list(model.predict(pandas.DataFrame({"user_id": [196, 999999], "item_id": [242, 242]}))))
"""


def test_a_consumer_loads_the_champion_with_pickle_forbidden(workspace, first_run):
    script = workspace / "consumer.py"
    script.write_text(CONSUMER, encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-I", str(script)],
        cwd=workspace,
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("[")


CARD = """
import json, mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
(version,) = client.search_model_versions("name = 'autorec-movielens-100k'")
files = [one.path for one in client.list_artifacts(version.run_id)]
print(json.dumps({"card": version.description, "files": files}))
"""


def test_the_run_leaves_its_report_and_model_card_where_people_look(workspace, first_run):
    report = workspace / "reports" / "run" / DATASET
    page = (report / "index.html").read_text(encoding="utf-8")
    figures = json.loads(
        (workspace / "data" / "evaluation" / DATASET / "metrics.json").read_text(encoding="utf-8")
    )

    assert f"MSE is {figures['model']['mse']:.4f}" in page
    assert "Version 1 is the new champion" in page
    assert f"reports/run/{DATASET}/index.html" in first_run
    asked = subprocess.run(
        [sys.executable, "-c", CARD], cwd=workspace, capture_output=True, text=True, check=True
    )
    found = json.loads(asked.stdout)
    assert {"index.html", "model_card.md"} <= set(found["files"])
    assert found["card"] == (report / "model_card.md").read_text(encoding="utf-8")


def test_a_report_that_is_current_is_not_built_again(workspace, first_run):
    page = workspace / "reports" / "run" / DATASET / "index.html"
    before = page.stat().st_mtime_ns

    again = command(workspace, "flows.cli", "report", DATASET, "--no-open")

    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == str(page.relative_to(workspace))
    assert page.stat().st_mtime_ns == before


def test_the_served_champion_answers(shell, first_run):
    ours = f"localhost:{shell.params()['serve']['port']}"

    with shell.starts("autorec serve movielens-100k"):
        eventually(lambda: answers(f"http://{ours}/health"), "it does not serve")
        said = shell.types(
            "curl -s localhost:8000/score -H 'content-type: application/json' "
            '-d \'{"rows": [{"user_id": 196, "item_id": 242}, '
            '{"user_id": 999999, "item_id": 242}]}\'',
            instead={"localhost:8000": ours},
        )
        listed = shell.types(
            "curl -s localhost:8000/recommend -H 'content-type: application/json' "
            '-d \'{"user": 196, "top": 3}\'',
            instead={"localhost:8000": ours},
        )

    assert all(1 <= score <= 5 for score in json.loads(said)["scores"])
    assert len(json.loads(listed)["items"]) == 3


def test_each_user_gets_ten_items(shell, first_run):
    shell.types("autorec recommend movielens-100k --all --output recs.parquet")

    lists = pd.read_parquet(shell.folder / "recs.parquet")
    assert lists.groupby("user_id").size().unique().tolist() == [10]


def test_mlflow_s_own_server_answers(shell, first_run):
    port = free_port()
    with shell.starts(
        "mlflow models serve -m models:/autorec-movielens-100k@champion --env-manager local",
        instead={"--env-manager": f"-p {port} --env-manager"},
    ):
        eventually(lambda: answers(f"http://127.0.0.1:{port}/ping"), "it does not serve")
        rows = {"dataframe_records": [{"user_id": 196, "item_id": 242}]}
        scored = httpx.post(f"http://127.0.0.1:{port}/invocations", json=rows, timeout=60).json()

    assert 1 <= scored["predictions"][0] <= 5


def test_the_champion_is_exported(shell, first_run):
    shell.types("autorec export movielens-100k --output exported")

    found = {path.name for path in (shell.folder / "exported").iterdir()}
    assert {"model.keras", "saved_model"} <= found


def test_a_rating_out_of_range_stops_everything_behind_the_check(workspace, first_run):
    incoming = workspace / "data" / "incoming" / DATASET
    incoming.mkdir(parents=True)
    text = (workspace / "data" / "raw" / DATASET / "u.data").read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    user, item, _, time = first.split("\t")
    (incoming / "u.data").write_text(f"{user}\t{item}\t9\t{time}\n{rest}", encoding="utf-8")
    before = (workspace / "data" / "evaluation" / DATASET / "metrics.json").read_bytes()
    params = workspace / "params.yaml"
    untouched = params.read_text(encoding="utf-8")
    kept = [line for line in untouched.splitlines() if "06416e597f82" not in line]
    changed = "\n".join(kept).replace("file: u.data", "file: u.data\n    sha256: null")
    params.write_text(changed + "\n", encoding="utf-8")

    answer = command(workspace, "flows.cli", "run", DATASET)
    params.write_text(untouched, encoding="utf-8")

    assert answer.returncode == 1
    assert "rating" in answer.stderr
    assert (answer.stdout + answer.stderr).count("failed: 1 of 100,000 rows") == 1
    assert "Traceback" not in answer.stdout + answer.stderr
    assert (workspace / "data" / "evaluation" / DATASET / "metrics.json").read_bytes() == before
