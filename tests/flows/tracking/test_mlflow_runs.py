"""Which store MLflow is pointed at."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import mlflow
import psutil
import pytest

from autorec_core.errors import UnreachableError
from flows.environment import prepare_environment
from flows.processes.locks import FOLDER
from flows.registry.versions import aliased, list_versions
from flows.tracking import mlflow_runs
from flows.tracking.mlflow_runs import connect

ADDRESS = "http://127.0.0.1:59999"


@pytest.fixture
def noted(tmp_path):
    """Notes a server of the workspace as `make up` does."""

    def note(born: float) -> None:
        place = tmp_path / FOLDER / "services" / "mlflow.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        content = {"name": "mlflow", "pid": os.getpid(), "born": born, "address": ADDRESS}
        place.write_text(json.dumps(content), encoding="utf-8")

    return note


def test_the_server_that_runs_here_is_asked_and_only_while_it_runs(noted, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    own = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as made:
        made.execute("create table alembic_version (version_num text)")

    noted(psutil.Process().create_time())
    connect(tmp_path)
    assert mlflow.get_tracking_uri() == mlflow.get_registry_uri() == ADDRESS
    assert "MLFLOW_TRACKING_URI" not in os.environ

    noted(psutil.Process().create_time() - 60)  # another process had this number
    connect(tmp_path)
    assert mlflow.get_tracking_uri() == own


def test_a_password_in_the_url_is_moved_and_never_shown(monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter%402@127.0.0.1:1/mlflow")
    monkeypatch.setattr(mlflow_runs, "_unanswered", threading.Event())

    prepare_environment()
    with caplog.at_level("WARNING"):
        assert mlflow_runs.attempt(lambda: mlflow_runs.open_experiment(Path(), "x")) is None

    assert "MLflow does not answer" in caplog.text
    assert "hunter" not in caplog.text
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:1/mlflow"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "hunter@2"


def test_without_its_server_the_registry_says_so_in_a_sentence(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")

    for ask in (lambda: list_versions("x"), lambda: aliased("x", "champion")):
        with pytest.raises(
            UnreachableError, match=r"^MLflow \(http://127.0.0.1:1\)[^()]*failed\.$"
        ):
            ask()


def test_the_environment_variable_comes_first(noted, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:59998")
    noted(psutil.Process().create_time())

    connect(tmp_path)

    assert mlflow.get_tracking_uri() == "http://127.0.0.1:59998"


def test_a_run_takes_parameters_with_any_characters_in_their_paths(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    plain = {"train.batch_size": 1024, "hyper_1/type_0": "a:b c", "x.größe": 1}
    strange = {"x.a%": 1, "x.a$": 2, "x.a//b": 3, "x./a": 4, "x.\n#?": 5, "y" * 400: 6, "..": 7}

    run = mlflow_runs.start_run(tmp_path, "x", "search", {**plain, **strange}, {}, 1.0, "key")

    found = mlflow.get_run(run).data.params
    assert sorted(found.values()) == sorted(map(str, [*plain.values(), *strange.values()]))
    assert {name: str(value) for name, value in plain.items()}.items() <= found.items()


def test_the_store_that_the_environment_names_is_corrected_after_a_move_too(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before, now = tmp_path / "before", tmp_path / "now"
    before.mkdir()
    mlflow_runs.open_experiment(before, "x")
    before.rename(now)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{now / 'mlflow.db'}")

    mlflow_runs.connect(tmp_path)

    location = mlflow.get_experiment_by_name("autorec-x").artifact_location
    assert location == (now / "mlartifacts" / "autorec-x").as_uri()
