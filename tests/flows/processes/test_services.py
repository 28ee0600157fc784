"""Where the servers of a workspace keep what they know."""

from __future__ import annotations

from sqlalchemy import make_url

from flows.addresses import sqlite_file
from flows.processes.services import prefect_database

NAME = "PREFECT_SERVER_DATABASE_CONNECTION_URL"


def test_prefect_s_database_is_the_workspace_s_own(tmp_path, monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.chdir(tmp_path)

    found = prefect_database(tmp_path.relative_to(tmp_path))

    assert found == {NAME: f"sqlite+aiosqlite:///{tmp_path}/.autorec/prefect.db"}
    assert (tmp_path / ".autorec").is_dir()


def test_the_environment_s_database_stays(tmp_path, monkeypatch):
    monkeypatch.setenv(NAME, "postgresql+asyncpg://prefect@db/prefect")

    assert prefect_database(tmp_path) == {NAME: "postgresql+asyncpg://prefect@db/prefect"}


def test_a_prefect_server_s_database_may_lie_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    root = tmp_path / "what? #1%20"
    root.mkdir()

    address = prefect_database(root)[NAME]

    assert sqlite_file(address) == root / ".autorec" / "prefect.db"
    assert address.startswith("sqlite+aiosqlite:///file:")
    assert make_url(address).query == {"uri": "true"}
