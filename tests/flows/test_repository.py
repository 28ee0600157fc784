"""The git repository of a workspace, and the faults that are reported."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autorec_core.errors import ConfigError
from flows.registry.lineage import git_state
from flows.repository import check_git, fault_of_git, git


def run(folder: Path, *arguments: str) -> None:
    person = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True)


def project(folder: Path) -> Path:
    (folder / "autorec_core").mkdir(parents=True)
    (folder / "flows").mkdir()
    for name in ("dvc.yaml", "autorec_core/code.py", "flows/code.py"):
        (folder / name).write_text("x\n", encoding="utf-8")
    return folder


def committed(folder: Path) -> Path:
    run(folder, "init", "-q")
    run(folder, "add", "--all")
    run(folder, "commit", "-qm", "Start")
    return folder


def test_top_subfolder_and_work_tree_are_well(tmp_path):
    top = committed(project(tmp_path / "top"))
    project(tmp_path / "large" / "inside")
    large = committed(tmp_path / "large")
    run(large, "worktree", "add", "-q", str(tmp_path / "tree"))

    for place in (top, large / "inside", tmp_path / "tree" / "inside"):
        assert fault_of_git(place) is None
        assert git_state(place) == {"commit": git(place, "rev-parse", "HEAD"), "dirty": False}


def test_no_repository_stops_unless_dvc_is_to_work_without_git(tmp_path):
    folder = project(tmp_path / "alone")

    with pytest.raises(ConfigError, match=r"^This folder is not in a git rep.*`git init`"):
        check_git(folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")

    fault = check_git(folder)
    assert fault is not None
    assert not fault.stops
    assert git_state(folder) == {}


def test_no_git_program_stops(tmp_path, monkeypatch):
    folder = committed(project(tmp_path / "top"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError, match=r"^Git is not on PATH\. Install git"):
        check_git(folder)
    assert git(folder, "rev-parse", "HEAD") is None


def test_a_repository_without_a_commit_is_reported(tmp_path):
    folder = project(tmp_path / "top")
    run(folder, "init", "-q")

    fault = check_git(folder)

    assert fault is not None
    assert fault.found == "nothing is committed yet"
    assert git_state(folder) == {}


@pytest.mark.parametrize("ignored", [True, False])
def test_a_folder_that_is_not_in_the_commit_is_reported(tmp_path, ignored):
    (tmp_path / "readme").touch()
    if ignored:
        (tmp_path / ".gitignore").write_text("/inside\n", encoding="utf-8")
    large = committed(tmp_path)
    inside = project(large / "inside")

    fault = fault_of_git(inside)

    assert fault is not None
    assert not fault.stops
    assert "does not have this folder's dvc.yaml" in fault.found
    assert git_state(inside)["dirty"] is True


def test_new_code_that_git_does_not_know_makes_a_version_dirty(tmp_path):
    folder = committed(project(tmp_path / "top"))
    (folder / "notes.txt").touch()
    assert git_state(folder)["dirty"] is False

    (folder / "autorec_core" / "new_interactor.py").touch()

    assert git_state(folder)["dirty"] is True


def test_a_repository_of_another_user_is_reported_with_the_remedy(tmp_path, monkeypatch):
    """As on a shared disk: the folder is somebody else's, and git refuses to read it."""
    folder = committed(project(tmp_path / "a folder"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to test this

    fault = check_git(folder)

    assert fault is not None
    assert f"another user (id {os.getuid()})" in fault.found
    assert f"git config --global --add safe.directory '{folder}'" in fault.remedy
    said = fault.remedy.partition("`")[2].partition("`")[0]
    subprocess.run(["sh", "-c", said], check=True)
    assert fault_of_git(folder) is None
