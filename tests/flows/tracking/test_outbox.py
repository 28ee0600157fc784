"""Reports to MLflow are sent in the background: a silent server delays and loses nothing."""

from __future__ import annotations

import logging
import socket

import mlflow
import pytest

from flows.tracking import mlflow_runs, outbox
from flows.workspace import Places

PARAMS = {"seed": 13, "search.tuner": "random"}
TAGS = {"dataset": "clicks", "stage": "search"}
CURVE = [
    {"step": 1, "epoch": 0.5, "loss": 0.9, "ce": 0.6, "seconds": 1.0},
    {"step": 2, "epoch": 1.0, "loss": 0.7, "ce": float("nan"), "seconds": 2.0},
]


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(outbox, "_LAST_SECONDS", 600.0)
    return Places("clicks", tmp_path)


@pytest.fixture
def silent_server(places, monkeypatch):
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.setattr(outbox, "_LAST_SECONDS", 0.1)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def search(places, *, fails=False):
    """Two trials, one of which fails; then the end, or an interruption."""
    with outbox.reported(places, PARAMS, TAGS) as report:
        report.trial(0, {"mlp/units": 8}, {"score": 0.6}, CURVE, 3.0, None)
        report.trial(1, {"mlp/units": 9}, {}, [], 1.0, "out of memory")
        if fails:
            raise KeyboardInterrupt
        table = places.search / "leaderboard.csv"
        table.write_text("trial,score\n0,0.6\n")
        write_winner(places, "first")
        report.end("FINISHED", {"val_ce": 0.6}, [table], places.search / "winner")


def write_winner(places, content):
    """Writes what stands for a winner, as the search does or DVC from its cache."""
    (places.search / "winner").mkdir(exist_ok=True)
    (places.search / "winner" / "result.json").write_text(content)


def runs(places):
    """What MLflow knows, the search's run first."""
    mlflow_runs.connect(places.root)
    found = mlflow.search_runs(search_all_experiments=True, output_format="list")
    return sorted(found, key=lambda run: run.info.run_name)


def check_told(places):
    parent, good, failed = runs(places)
    assert parent.info.run_name == "search"
    assert parent.data.params["search.tuner"] == "random"
    assert parent.data.metrics == {"val_ce": 0.6}
    assert (parent.info.status, good.info.status, failed.info.status) == (
        "FINISHED",
        "FINISHED",
        "FAILED",
    )
    assert good.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert good.data.params == {"mlp/units": "8"}
    assert good.data.metrics["score"] == 0.6
    client = mlflow.MlflowClient()
    losses = client.get_metric_history(good.info.run_id, "loss")
    assert [(point.step, point.value) for point in losses] == [(1, 0.9), (2, 0.7)]
    assert len(client.get_metric_history(good.info.run_id, "ce")) == 1
    assert failed.data.tags["error"] == "out of memory"
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["leaderboard.csv"]
    assert mlflow_runs.search_run(places) == parent.info.run_id
    assert not any((places.search / outbox.OUTBOX).iterdir())


def test_unsent_reports_are_sent_when_mlflow_answers_again(
    places, silent_server, monkeypatch, caplog
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent_server)
    with caplog.at_level(logging.WARNING):
        search(places)
        assert not outbox.deliver(places)
    assert caplog.text.count("MLflow does not answer") == 1
    assert "Some reports were not sent to MLflow" in caplog.text

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert outbox.deliver(places)
    check_told(places)
    assert mlflow_runs.where_to_see_trials(places) == mlflow_runs.OPEN_STORE


def test_an_interrupted_run_goes_on_or_is_closed(places):
    folder = outbox._folder(places, PARAMS, TAGS)  # what a killed process has left
    outbox.Report(folder).trial(0, {}, {"score": 0.6}, [], 1.0, None)
    assert outbox.deliver(places)
    assert outbox._folder(places, PARAMS, TAGS) == folder

    other = outbox._folder(places, {**PARAMS, "seed": 14}, TAGS)
    assert outbox.deliver(places)
    assert not folder.exists()
    assert other.exists()
    assert sorted(run.info.status for run in runs(places)) == ["FINISHED", "KILLED", "RUNNING"]

    with pytest.raises(KeyboardInterrupt):
        search(places, fails=True)
    statuses = [run.info.status for run in runs(places) if run.info.run_name == "search"]
    assert sorted(statuses) == ["FAILED", "KILLED", "KILLED"]


def test_a_killed_search_whose_stage_then_comes_from_the_cache_is_not_running_for_ever(places):
    outbox._folder(places, PARAMS, TAGS)  # what a killed process has left
    assert outbox.deliver(places)
    assert [run.info.status for run in runs(places)] == ["RUNNING"]

    assert outbox.settle(places)

    assert [run.info.status for run in runs(places)] == ["KILLED"]
    assert not any((places.search / outbox.OUTBOX).iterdir())


def test_a_search_that_is_alive_is_not_taken_for_dead(places):
    with outbox.reported(places, PARAMS, TAGS) as report:
        assert outbox.settle(places)
        report.end("FINISHED", {})

    assert [run.info.status for run in runs(places)] == ["FINISHED"]


def test_a_kill_between_making_a_run_and_noting_it_makes_no_second_one(places, monkeypatch):
    folder = outbox._folder(places, PARAMS, TAGS)
    outbox.Report(folder).trial(0, {}, {"score": 0.6}, [], 1.0, None)

    def killed(path, content):
        raise OSError("no more")

    for _ in range(2):  # once after the search's run was made, once after the trial's
        with monkeypatch.context() as patched:
            patched.setattr(outbox, "write_json", killed)
            assert not outbox.deliver(places)
        about = outbox._read(folder / outbox.RUN)
        made = outbox.mlflow_runs.start_run(
            places.root, "clicks", "search", PARAMS, TAGS, about["began"], folder.name
        )
        outbox.write_json(folder / outbox.RUN, {**about, "run": made})
    assert outbox.settle(places)

    assert [run.info.run_name for run in runs(places)] == ["search", "trial-000"]
    assert [run.info.status for run in runs(places)] == ["KILLED", "FINISHED"]


def test_a_winner_from_the_cache_belongs_to_the_run_that_found_it(places):
    search(places)
    [first] = [run.info.run_id for run in runs(places) if run.info.run_name == "search"]
    with outbox.reported(places, {**PARAMS, "seed": 14}, TAGS) as report:
        write_winner(places, "second")
        report.end("FINISHED", {}, winner=places.search / "winner")
    assert mlflow_runs.search_run(places) not in (None, first)

    write_winner(places, "first")
    assert mlflow_runs.search_run(places) == first
    write_winner(places, "third")
    assert mlflow_runs.search_run(places) is None
