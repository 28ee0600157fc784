"""DVC: everything comes back in a new clone, and a change reruns only what depends on it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dvc")]

ROWS = "user,item,rating\n" + "".join(f"{n % 13},{n % 29},{n % 3 + 1}\n" for n in range(300))


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "HOME": str(folder.parent / "home"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        },
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    run(folder, "git", *identity, "commit", "-qm", "Build")


@pytest.fixture(scope="module")
def workspace(make_workspace) -> Path:
    """Two small data sets, built as far as their splits."""

    def edit(params: dict[str, Any]) -> None:
        entry = params["datasets"]["movielens-100k"]
        entry |= {
            "file": "rows.csv",
            "sha256": None,
            "sources": [{"kind": "file", "path": "incoming/rows.csv"}],
            "format": {
                "kind": "delimited",
                "separator": ",",
                "header": True,
                "quoted": False,
                "columns": ["user", "item", "rating"],
            },
            "categorical": ["user", "item"],
            "ignored": [],
            "user": "user",
            "item": "item",
            "time": None,
        }
        entry["facts"] |= {"label_mean": None, "min_rows": 1, "unique": []}
        params["datasets"] = {"mine": entry, "other": json.loads(json.dumps(entry))}
        params["pipeline"]["datasets"] = ["mine", "other"]

    folder = make_workspace(edit)
    (folder / "incoming").mkdir()
    (folder / "incoming" / "rows.csv").write_text(ROWS)
    dvc(folder, "repro", "--quiet", "prepare@mine", "prepare@other")
    commit(folder)
    return folder


def changed(workspace: Path, edit) -> set[str]:
    """The built stages that `dvc status` would run again after an edit of params.yaml."""
    path = workspace / "params.yaml"
    text = path.read_text(encoding="utf-8")
    params = yaml.safe_load(text)
    edit(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    try:
        built = [f"{stage}@{name}" for stage in STAGES for name in ("mine", "other")]
        return set(json.loads(dvc(workspace, "status", "--json", *built)))
    finally:
        path.write_text(text, encoding="utf-8")


STAGES = ("fetch", "check_raw", "prepare")


def sample_mine(params):
    params["datasets"]["mine"]["sample"] = 100


def count_more(params):
    params["preprocess"]["min_count"] = 2


def search_more(params):
    params["search"]["max_trials"] = 3
    params["train"]["epochs"] = 1


@pytest.mark.parametrize(
    ("edit", "rerun"),
    [
        (lambda params: None, set()),
        (sample_mine, {"check_raw@mine", "prepare@mine"}),
        (count_more, {"prepare@mine", "prepare@other"}),
        (search_more, set()),
    ],
    ids=["nothing", "one data set's entry", "a setting of one stage", "another stage's settings"],
)
def test_a_change_reruns_only_what_depends_on_it(workspace, edit, rerun):
    assert changed(workspace, edit) == rerun


def digests(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for place in ("raw", "checks", "prepared")
        for file in (folder / "data" / place).rglob("*")
        if file.is_file()
    }


def test_a_new_clone_gets_everything_back_from_the_local_remote(workspace):
    dvc(workspace, "push", "--quiet")
    clone = workspace.parent / "clone"
    run(workspace, "git", "clone", "--quiet", str(workspace), str(clone))
    assert not (clone / "data" / "prepared").exists()

    dvc(clone, "pull", "--quiet", "--allow-missing")  # what was never built is not there

    assert digests(clone) == digests(workspace)
    assert any("vocabulary" in name for name in digests(clone))


def test_a_new_version_is_held_against_the_last_good_one(workspace):
    drifted = ROWS + "".join(f"{n % 13},{100 + n % 5},3\n" for n in range(900))
    (workspace / "data" / "raw" / "mine" / "rows.csv").unlink()
    (workspace / "incoming" / "rows.csv").write_text(drifted)

    said = dvc(workspace, "repro", "--force", "--single-item", "fetch@mine")
    said = dvc(workspace, "repro", "--single-item", "check_raw@mine")

    assert "Warning: mine, drift from the previous version" in said
    results = json.loads((workspace / "data/checks/mine/raw.json").read_text())
    drift = {
        one["column"]: one["success"]
        for one in results["expectations"]
        if one["table"].startswith("drift")
    }
    assert drift == {"user": True, "item": False, "rating": False}
