"""The git repository of a workspace, and what is wrong with it.

The workspace may be the top of a repository, one of its work trees, or a folder inside it.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from autorec_core.errors import ConfigError

PIPELINE = "dvc.yaml"
NEEDED = "DVC needs a git repository, and the lineage of a model contains its commit."


@dataclass(frozen=True)
class GitFault:
    """A reason why the commit of a workspace is unknown.

    Args:
        found: What is wrong.
        remedy: What to do about it.
        stops: Whether no model can be built. If False, only the commit is unknown.
    """

    found: str
    remedy: str
    stops: bool

    def __str__(self) -> str:
        return f"{self.found[:1].upper()}{self.found[1:]}. {self.remedy}"


def git(root: Path, *arguments: str) -> str | None:
    """Runs git in the workspace. Returns its output, or None if it fails or is not installed."""
    done = _run(root, *arguments)
    return done.stdout.strip() if done is not None and done.returncode == 0 else None


def fault_of_git(root: Path) -> GitFault | None:
    """Returns why the commit of a workspace's files is unknown, or None if it is known.

    Args:
        root: The workspace.
    """
    inside = _run(root, "rev-parse", "--is-inside-work-tree")
    if inside is None:
        remedy = f"Install git: {NEEDED}"
        return GitFault("git is not on PATH", remedy, stops=not _without_git(root))
    if inside.returncode != 0 or inside.stdout.strip() != "true":
        return _refused(root, inside.stderr)
    if git(root, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        remedy = (
            "`git add --all` and `git commit`: until then a model has no commit in its lineage."
        )
        return GitFault("nothing is committed yet", remedy, stops=False)
    if not in_commit(root):
        remedy = (
            "`git add` and `git commit` them: until then a model cannot be rebuilt from its "
            "commit. Check whether a .gitignore in a folder above excludes this folder."
        )
        found = f"the last commit does not have this folder's {PIPELINE}"
        return GitFault(found, remedy, stops=False)
    return None


def check_git(root: Path) -> GitFault | None:
    """Checks that a model can be built in a workspace with its git repository.

    Args:
        root: The workspace.

    Returns:
        A fault that the user should see but that does not prevent a build, or None.

    Raises:
        ConfigError: No model can be built.
    """
    fault = fault_of_git(root)
    if fault is not None and fault.stops:
        raise ConfigError(str(fault))
    return fault


def in_commit(root: Path) -> bool:
    """Returns whether the last commit contains dvc.yaml of exactly this folder."""
    return git(root, "cat-file", "-e", f"HEAD:./{PIPELINE}") is not None


def _refused(root: Path, message: str) -> GitFault:
    """Turns git's error message for a folder that it does not accept into a fault."""
    if "dubious ownership" in message:
        named = re.search(r"safe\.directory (.+)$", message, re.MULTILINE)
        top = named[1] if named else f"'{root.resolve()}'"
        return GitFault(
            f"another user (id {_owner(root)}) owns this git repository, so git does not show the "
            "commit, and models will not have it in their lineage",
            f"If you trust that user: `git config --global --add safe.directory {top}`.",
            stops=False,
        )
    if not message or "not a git repository" in message:
        remedy = f"`git init`, then `git add --all` and `git commit`: {NEEDED}"
        return GitFault(
            "this folder is not in a git repository", remedy, stops=not _without_git(root)
        )
    last = message.strip().splitlines()[-1].removeprefix("fatal: ").rstrip(".")
    return GitFault(f"git cannot read the repository: {last}", "Repair it first.", stops=False)


def _owner(root: Path) -> int:
    """Returns the id of the user who owns the repository, or the workspace if there is none."""
    for folder in (root.resolve(), *root.resolve().parents):
        if (folder / ".git").exists():
            return folder.stat().st_uid
    return root.stat().st_uid


def _without_git(root: Path) -> bool:
    """Returns whether DVC is configured to work without git."""
    settings = configparser.ConfigParser()
    try:
        settings.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
        return settings.getboolean("core", "no_scm", fallback=False)
    except (configparser.Error, ValueError, OSError):
        return False


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    if (program := shutil.which("git")) is None:
        return None
    return subprocess.run(
        [program, *arguments],
        cwd=root,
        env={**os.environ, "LC_ALL": "C"},  # `_refused` reads English messages
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
