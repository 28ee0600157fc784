"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT

from flows.environment import prepare_environment

PARTS = ("autorec_core", "flows", "dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore")


def pytest_configure() -> None:
    prepare_environment()
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the slow modules first: begun last, one would keep a single tester busy at the end."""
    longest = ROOT / "tests" / "e2e"
    items.sort(
        key=lambda item: (longest not in item.path.parents, item.get_closest_marker("slow") is None)
    )


@pytest.fixture(scope="session")
def make_workspace(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Makes a workspace of its own: a git and DVC repository with this project's pipeline.

    The function it is called with edits the content of params.yaml.
    """

    def make(edit: Callable[[dict[str, Any]], None]) -> Path:
        workspace = tmp_path_factory.mktemp("workspace")
        for part in (*PARTS, ".dvc/.gitignore", "data/.gitignore", ".gitignore"):
            source, target = ROOT / part, workspace / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        params = yaml.safe_load((workspace / "params.yaml").read_text(encoding="utf-8"))
        edit(params)
        text = yaml.safe_dump(params, sort_keys=False)
        (workspace / "params.yaml").write_text(text, encoding="utf-8")
        for command in (
            ["init", "--quiet", "--initial-branch=main"],
            ["add", "--all"],
            ["-c", "user.name=Test", "-c", "user.email=test@localhost", "commit", "-qm", "Start"],
        ):
            subprocess.run(["git", *command], cwd=workspace, check=True)
        return workspace

    return make
