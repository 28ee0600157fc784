"""A team's installation on loopback: servers, worker, a killed run, and the next by its own clock.

Everything is real and small. A run started by hand is killed with SIGKILL in the middle of its
search; a scheduled run then starts by itself, and the tests look at what each left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow.parquet as pq
import pytest
from pages import surroundings
from project import ROOT
from team import Shell, eventually, furnish, make_small, write_ratings

DATASET = "tiny"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("operation"),
    pytest.mark.timeout(1800),  # a machine that is busy elsewhere takes its time
]


@dataclass(frozen=True)
class Installation:
    """A workspace with servers and a worker, and what happened in it."""

    workspace: Path
    environment: dict[str, str]
    api: str
    tracking: str
    killed: str
    first_trial: str
    scheduled: dict[str, Any]

    def ask(self, path: str, **content: Any) -> Any:
        """Asks the Prefect server."""
        return ask(self.api, "POST", path, content)

    def artifacts(self) -> dict[str, str]:
        """The latest artifacts: their data by key."""
        return {one["key"]: one["data"] for one in self.ask("/artifacts/latest/filter")}


def ask(api: str, method: str, path: str, content: Any = None) -> Any:
    """Asks a Prefect server, again while its SQLite is busy, as Prefect's own client does."""

    def answer() -> httpx.Response | None:
        found = httpx.request(method, f"{api}{path}", json=content, timeout=60)
        return None if found.status_code == httpx.codes.SERVICE_UNAVAILABLE else found

    found: httpx.Response = eventually(answer, f"{path} does not answer").raise_for_status()
    return found.json() if found.content else None


@pytest.fixture(scope="module")
def heard(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("heard") / "message.json"


@pytest.fixture(scope="module")
def installation(make_workspace, heard) -> Iterator[Installation]:
    def edit(params: dict[str, Any]) -> None:
        make_small(params, DATASET)
        params["notify"] |= {"command": ["tee", str(heard)]}

    workspace: Path = make_workspace(edit)
    furnish(workspace)
    write_ratings(workspace / "data" / "incoming" / DATASET / "rows.tsv")
    deployments = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    text = deployments.replace("movielens-100k", DATASET)
    (workspace / "prefect.yaml").write_text(text, encoding="utf-8")
    environment = surroundings(workspace)
    shell = Shell(workspace, environment)
    try:
        shell.types("make up")
        yield _operate(workspace, environment)
    finally:
        shell.types("make down")


def _operate(workspace: Path, environment: dict[str, str]) -> Installation:
    """Kills a run in its search; has another start by the clock and waits for its end."""
    import yaml

    ports = yaml.safe_load((workspace / "params.yaml").read_text(encoding="utf-8"))["services"]
    api = f"http://127.0.0.1:{ports['prefect_port']}/api"
    tracking = f"http://127.0.0.1:{ports['mlflow_port']}"
    by_hand = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", DATASET],
        cwd=workspace,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    record = eventually(lambda: finished_trial(workspace), "no trial was finished")
    os.kill(by_hand.pid, signal.SIGKILL)
    by_hand.wait()
    first_trial = record.read_text(encoding="utf-8")

    def runs() -> list[dict[str, Any]]:
        return ask(api, "POST", "/flow_runs/filter", {"flows": {"name": {"any_": ["autorec"]}}})

    killed = next(run["id"] for run in runs() if run["state"]["name"] == "Running")
    deployment = ask(api, "GET", f"/deployments/name/autorec/{DATASET}")
    plans = f"/deployments/{deployment['id']}/schedules"
    every = {"active": True, "schedule": {"interval": 30, "timezone": "UTC"}}
    schedule = ask(api, "POST", plans, [every])[0]["id"]

    def by_the_clock(happened: str) -> list[dict[str, Any]]:
        return [
            run
            for run in runs()
            if run["auto_scheduled"] and run[happened] and run["state"]["name"] != "Left"
        ]

    eventually(lambda: by_the_clock("start_time"), "no scheduled run began")
    ask(api, "DELETE", f"{plans}/{schedule}")
    scheduled = eventually(lambda: by_the_clock("end_time"), "no scheduled run ended")[0]
    return Installation(workspace, environment, api, tracking, killed, first_trial, scheduled)


def finished_trial(workspace: Path) -> Path | None:
    """The record of the first trial, once that has ended."""
    for path in (workspace / "data" / "search" / DATASET).glob("trials/*/trials/0000.json"):
        if json.loads(path.read_text(encoding="utf-8")).get("score") is not None:
            return path
    return None


def test_a_run_started_by_the_clock_ends_with_a_champion(installation):
    assert installation.scheduled["state"]["message"].startswith("Version 1 is the new champion")
    assert installation.scheduled["state"]["type"] == "COMPLETED"


def test_the_killed_run_is_marked_as_crashed_with_its_steps_and_somebody_hears(installation, heard):
    runs = installation.ask("/flow_runs/filter", flow_runs={"id": {"any_": [installation.killed]}})
    steps = installation.ask("/task_runs/filter", flow_runs={"id": {"any_": [installation.killed]}})
    message = json.loads(heard.read_text(encoding="utf-8"))

    assert runs[0]["state"]["type"] == "CRASHED"
    assert {step["name"].partition("-")[0]: step["state"]["type"] for step in steps} == {
        "preprocess": "COMPLETED",
        "plan": "COMPLETED",
        "search": "CRASHED",
    }
    assert (message["run"], message["state"]) == (installation.killed, "Crashed")


def test_the_next_run_goes_on_with_the_search_of_the_killed_one(installation):
    record = finished_trial(installation.workspace)

    assert record is not None
    assert record.read_text(encoding="utf-8") == installation.first_trial


def test_each_run_shows_checks_trials_gate_and_links(installation):
    shown = installation.artifacts()

    assert set(shown) >= {
        f"{DATASET}-{what}"
        for what in ("data-checks", "leaderboard", "gate", "mlflow-run", "result")
    }
    assert {row["failed"] for row in json.loads(shown[f"{DATASET}-data-checks"])} == {"none"}
    assert len(json.loads(shown[f"{DATASET}-leaderboard"])) == 2
    assert {row["passed"] for row in json.loads(shown[f"{DATASET}-gate"])} == {"yes"}
    assert f"{installation.tracking}/#/experiments/" in shown[f"{DATASET}-mlflow-run"]
    assert "raw/index.html" in shown[f"{DATASET}-result"]


def test_what_prefect_knows_stays_in_the_workspace(installation):
    """In the user's home, another clone's deployments would be among its own."""
    home = Path(installation.environment["PREFECT_HOME"])

    assert (installation.workspace / ".autorec" / "prefect.db").exists()
    assert not (home / "prefect.db").exists()


def test_the_logs_of_a_run_tell_its_stages(installation):
    logs = installation.ask(
        "/logs/filter", logs={"flow_run_id": {"any_": [installation.scheduled["id"]]}}
    )
    lines = [one["message"] for one in logs]

    assert f"Stage evaluate@{DATASET}" in lines
    assert not [line for line in lines if "dvc push" in line or "Updating lock file" in line]


CHECKS = """
import sys
from flows.environment import prepare_environment
prepare_environment()
from flows.orchestration.watch_source import data_check
path, dataset = sys.argv[1:]
for row in ("", "59\\t29\\t3\\t1\\n", ""):
    with open(path, "a") as file:
        file.write(row)
    print(data_check(dataset, return_state=True).name)
"""


def test_moved_data_is_trained_on_once_and_the_same_data_is_not(installation):
    path = installation.workspace / "data" / "incoming" / DATASET / "rows.tsv"
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, str(path), DATASET],
        cwd=installation.workspace,
        env={**installation.environment, "PREFECT_API_URL": installation.api},
        capture_output=True,
        text=True,
        check=False,
    )
    runs = installation.ask("/flow_runs/filter", flows={"name": {"any_": ["autorec"]}})
    triggered = [run for run in runs if run["parameters"].get("refetch")]

    assert done.stdout.split() == ["Unchanged", "Completed", "Completed"], done.stderr
    assert len(triggered) == 1


def test_the_deployment_of_nightly_lists_writes_those_of_the_champion(installation):
    deployment = ask(installation.api, "GET", f"/deployments/name/autorec-recommend/{DATASET}")
    begun = installation.ask(f"/deployments/{deployment['id']}/create_flow_run")

    def ended() -> dict[str, Any] | None:
        run = ask(installation.api, "GET", f"/flow_runs/{begun['id']}")
        return run["state"] if run["end_time"] else None

    state = eventually(ended, "the lists are not written")
    assert state["type"] == "COMPLETED", state["message"]
    table = pq.read_table(
        installation.workspace / "data" / "recommendations" / f"{DATASET}.parquet"
    )
    assert table.schema.metadata[b"autorec.version"] == b"1"
    assert table.to_pandas().groupby("user_id").size().max() == 10


def test_down_ends_exactly_what_up_started(installation):
    notes = (installation.workspace / ".autorec" / "services").glob("*.json")
    pids = [json.loads(note.read_text(encoding="utf-8"))["pid"] for note in notes]
    families = [psutil.Process(pid) for pid in pids]
    families += [child for one in list(families) for child in one.children(recursive=True)]
    assert len(pids) == 3

    said = Shell(installation.workspace, installation.environment).types("make down")

    assert said.splitlines()[0].startswith("worker: ")
    assert not [one for one in families if one.is_running() and one.status() != "zombie"]
