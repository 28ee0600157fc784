"""The workspace's own MLflow store works at any path, and after the workspace was moved."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from autorec_core.errors import DataError
from flows.addresses import ARTIFACTS, STORE, sqlite_address, sqlite_file
from flows.processes.mlflow_store import correct_places

PATHS = ["plain", "a b", "größe", "a#b", "a%20b", "a?b", "what? #1 100%3F", "a;b&c=d", "x:y@z"]


@pytest.mark.parametrize("folder", PATHS)
def test_a_sqlite_file_is_found_at_any_path(folder, tmp_path):
    file = tmp_path / folder / "some.db"
    file.parent.mkdir()
    address = sqlite_address(file)
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("create table t (x int)")

    with sqlalchemy.create_engine(address).connect() as connection:
        assert connection.execute(sqlalchemy.text("select name from sqlite_master")).all()
    assert sqlite_file(address) == file
    assert sqlite_file(sqlite_address(file, "aiosqlite")) == file
    assert list(tmp_path.iterdir()) == [file.parent]


@pytest.mark.parametrize("address", ["http://host/mlflow.db", "postgresql://host/x", "sqlite://"])
def test_other_urls_have_no_sqlite_file(address):
    assert sqlite_file(address) is None


def store(root: Path, places: dict[str, str]) -> None:
    """A store that holds the addresses of a few experiments, as MLflow would."""
    root.mkdir()
    with closing(sqlite3.connect(root / STORE)) as made, made:
        made.execute("create table alembic_version (version_num text)")
        made.execute("create table experiments (name text, artifact_location text)")
        made.execute("create table runs (artifact_uri text)")
        made.execute("create table logged_models (artifact_location text)")
        made.execute("create table model_versions (source text, storage_location text)")
        for name, place in places.items():
            made.execute("insert into experiments values (?, ?)", (name, place))
            made.execute("insert into runs values (?)", (f"{place}/r/artifacts",))
            made.execute("insert into logged_models values (?)", (f"{place}/models/m/artifacts",))
            made.execute(
                "insert into model_versions values (?, ?)",
                ("models:/m", f"{place}/models/m/artifacts"),
            )


def addresses(root: Path) -> set[str]:
    with closing(sqlite3.connect(root / STORE)) as opened:
        return {
            address
            for column, table in (
                ("artifact_location", "experiments"),
                ("artifact_uri", "runs"),
                ("artifact_location", "logged_models"),
                ("source", "model_versions"),
                ("storage_location", "model_versions"),
            )
            for (address,) in opened.execute(f"select {column} from {table}")
        }


def furnished(root: Path) -> None:
    """A workspace with one experiment, whose artifacts lie in it."""
    store(root, {"autorec-x": (root / ARTIFACTS / "autorec-x").as_uri()})
    (root / ARTIFACTS / "autorec-x").mkdir(parents=True)


def beginning_with(place: str) -> set[str]:
    ends = ("", "/r/artifacts", "/models/m/artifacts")
    return {"models:/m", *(f"{place}/autorec-x{end}" for end in ends)}


def test_a_moved_workspace_finds_its_artifacts(tmp_path):
    before, now = tmp_path / "a b%20", tmp_path / "größe #?"
    furnished(before)
    before.rename(now)

    assert correct_places(now) == 4
    assert addresses(now) == beginning_with((now / ARTIFACTS).as_uri())
    assert correct_places(now) == 0


def test_a_copy_uses_its_own_artifacts_and_the_original_keeps_its_own(tmp_path):
    furnished(tmp_path / "original")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")

    assert correct_places(tmp_path / "copy") == 4
    assert correct_places(tmp_path / "original") == 0
    assert addresses(tmp_path / "copy") == beginning_with((tmp_path / "copy" / ARTIFACTS).as_uri())


def test_artifacts_that_were_put_elsewhere_on_purpose_stay_there(tmp_path):
    elsewhere = tmp_path / "disk" / ARTIFACTS / "autorec-x"
    elsewhere.mkdir(parents=True)
    store(tmp_path / "here", {"autorec-x": elsewhere.as_uri(), "autorec-y": "s3://bucket/y"})

    assert correct_places(tmp_path / "here") == 0


def test_a_folder_without_a_store_gets_none(tmp_path):
    assert correct_places(tmp_path) == 0
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_corrected_says_where_it_looks(tmp_path):
    furnished(tmp_path / "before")
    now = tmp_path / "now"
    (tmp_path / "before").rename(now)
    with closing(sqlite3.connect(now / STORE)) as made, made:
        made.execute("create trigger no before update on runs begin select raise(fail, 'x'); end")

    with pytest.raises(DataError, match=r"expects its artifacts at .*before.*cannot be"):
        correct_places(now)
