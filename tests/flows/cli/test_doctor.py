"""`autorec doctor` finds problems in a real workspace, says what to do, and sets the exit code."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.cli import doctor
from flows.cli.doctor import Finding, _services, examine, show
from flows.processes.mlflow_store import PLACES

DATASET = "movielens-100k"


@pytest.fixture(scope="module")
def built(make_workspace) -> Path:
    """A workspace as it is before its first run."""
    return make_workspace(lambda params: None)


@pytest.fixture
def workspace(built, monkeypatch) -> Path:
    for variable in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(built)
    return built


def found(workspace: Path) -> dict[str, Finding]:
    return {finding.area: finding for finding in examine(workspace)}


def test_a_new_workspace_is_ok_and_says_how_to_start(workspace):
    findings = found(workspace)

    assert {finding.health for finding in findings.values()} <= {"ok", "note"}
    assert findings["git"].health == findings["dvc"].health == "ok"
    assert findings[DATASET].found == "nothing built yet"
    assert findings[DATASET].remedy == f"`autorec run {DATASET}`"
    assert show(findings.values())


def test_an_empty_folder_needs_fixing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    findings = found(tmp_path)

    assert findings["dvc"].health == "fix"
    assert findings["params"].health == "fix"
    assert "cannot be read" in findings["params"].found
    assert not show(findings.values())


def without(monkeypatch, *names: str) -> None:
    """Takes packages away from what is installed."""
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name in names:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_packages_are_compared_with_the_lock(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "numpy==0.1 \\\n    --hash=sha256:00\n    # via somebody\n"
        "mlflow==1.0\n"
        "pywin32==312 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n",
        encoding="utf-8",
    )
    without(monkeypatch, "mlflow")

    missing, other = doctor._versions(lock)

    assert missing.health == other.health == "fix"
    assert missing.found == "missing: mlflow"
    assert other.found.startswith("another version: numpy ")
    assert other.found.endswith("(lock: 0.1)")
    assert "make install" in other.remedy


def test_an_image_without_the_packages_of_tests_and_pages_needs_no_fix(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    installed = importlib.metadata.version("distributed")  # needed through an extra of Dask
    lock.write_text(f"distributed=={installed}\nmypy==1.0\npytest==1.0\n", encoding="utf-8")
    without(monkeypatch, "mypy", "pytest")

    ok, spared = doctor._versions(lock)

    assert (ok.health, ok.found) == ("ok", "the 1 packages match requirements.lock")
    assert spared.health == "note"
    assert spared.found.endswith("mypy, pytest")

    without(monkeypatch, "distributed")
    assert next(iter(doctor._versions(lock))).health == "fix"


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in ("/health", "/api/health") else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Health) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def test_servers_that_answer_are_ok(workspace, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("PREFECT_API_URL", f"{server}/api")

    findings = found(workspace)

    assert findings["mlflow"].health == findings["prefect"].health == "ok"


def test_a_server_that_does_not_answer_needs_fixing(workspace, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")

        findings = found(workspace)

    for service in ("mlflow", "prefect"):
        assert findings[service].health == "fix"
        assert "unset" in findings[service].remedy


def test_a_server_that_is_something_else_needs_fixing(workspace, server, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", f"{server}/elsewhere")

    assert "HTTP 404" in found(workspace)["prefect"].found


def test_failed_data_checks_need_fixing_and_name_their_page(workspace):
    results = workspace / "data" / "checks" / DATASET / "raw.json"
    results.parent.mkdir(parents=True)
    results.write_text(json.dumps({"success": False, "expectations": []}), encoding="utf-8")
    try:
        finding = found(workspace)[DATASET]
    finally:
        results.unlink()
        results.parent.rmdir()

    assert finding.health == "fix"
    assert finding.found == "data checks failed: raw"
    assert "index.html" in finding.remedy


def test_a_moved_workspace_is_corrected_and_reported(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as made, made:
        made.execute("create table alembic_version (version_num text)")
        made.execute("create table experiments (name text, artifact_location text)")
        made.execute(
            "insert into experiments values ('autorec-x', 'file:///w/mlartifacts/autorec-x')"
        )
        for table, column in PLACES[1:4]:
            made.execute(f"create table {table} ({column} text, storage_location text)")

    said = [one.found for one in _services(tmp_path, {}) if one.area == "mlflow"]

    assert said[1] == "the workspace was moved; corrected 1 URLs in mlflow.db"
    assert len([one for one in _services(tmp_path, {}) if one.area == "mlflow"]) == 1


@pytest.mark.parametrize(("free", "health"), [(2**29, "fix"), (2**31, "note"), (2**40, "ok")])
def test_a_full_disk_is_noticed(tmp_path, monkeypatch, free, health):
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: usage)

    assert doctor._disk(tmp_path).health == health
