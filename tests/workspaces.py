"""Workspaces for tests: a git and DVC repository with this project's pipeline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from project import ROOT

PARTS = (
    *("autorec_core", "flows", "dvc.yaml", "params.yaml"),
    *(".dvc/config", ".dvc/.gitignore", ".dvcignore", "data/.gitignore", ".gitignore"),
)


def make_workspace(folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Makes a workspace of its own.

    Args:
        folder: An empty folder.
        edit: Edits the content of params.yaml.

    Returns:
        The folder.
    """
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    edit(params)
    text = yaml.safe_dump(params, sort_keys=False)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["-c", "user.name=Test", "-c", "user.email=test@localhost", "commit", "-qm", "Start"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder
