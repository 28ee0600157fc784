"""The git repository of a workspace: what it can tell, and why it cannot tell more.

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
NEEDED = "DVC needs a git repository, and the lineage of a model names its commit."


@dataclass(frozen=True)
class GitFault:
    """Why git does not tell a workspace's commit.

    Args:
        found: What is wrong.
        remedy: What to do about it.
        stops: Whether nothing can be built; otherwise only the commit stays unknown.
    """

    found: str
    remedy: str
    stops: bool

    def __str__(self) -> str:
        return f"{self.found[:1].upper()}{self.found[1:]}. {self.remedy}"


def git(root: Path, *arguments: str) -> str | None:
    """What git answers in the workspace; None where it fails, or is not installed."""
    done = _run(root, *arguments)
    return done.stdout.strip() if done is not None and done.returncode == 0 else None


def fault_of_git(root: Path) -> GitFault | None:
    """Why git does not tell the commit of a workspace's files; None where it does.

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
        remedy = "`git add --all` and `git commit`: until then a model does not know its commit."
        return GitFault("nothing is committed yet", remedy, stops=False)
    if not in_commit(root):
        remedy = (
            "`git add` and `git commit` them: until then a model cannot be built again from its "
            "commit. See whether a .gitignore above this folder names it."
        )
        found = f"the last commit does not have this folder's {PIPELINE}"
        return GitFault(found, remedy, stops=False)
    return None


def check_git(root: Path) -> GitFault | None:
    """Makes sure that git does not keep a workspace from being built.

    Args:
        root: The workspace.

    Returns:
        What is wrong but stops nothing, to be told to the user.

    Raises:
        ConfigError: Nothing can be built.
    """
    fault = fault_of_git(root)
    if fault is not None and fault.stops:
        raise ConfigError(str(fault))
    return fault


def in_commit(root: Path) -> bool:
    """Whether the last commit has the pipeline of this very folder."""
    return git(root, "cat-file", "-e", f"HEAD:./{PIPELINE}") is not None


def _refused(root: Path, said: str) -> GitFault:
    """The fault behind git's words where it does not take a folder for a work tree."""
    if "dubious ownership" in said:
        named = re.search(r"safe\.directory (.+)$", said, re.MULTILINE)
        top = named[1] if named else f"'{root.resolve()}'"
        return GitFault(
            f"another user (id {_owner(root)}) owns this git repository, so git does not tell the "
            "commit, and models will not know theirs",
            f"If you trust that user: `git config --global --add safe.directory {top}`.",
            stops=False,
        )
    if not said or "not a git repository" in said:
        remedy = f"`git init`, then `git add --all` and `git commit`: {NEEDED}"
        return GitFault(
            "this folder belongs to no git repository", remedy, stops=not _without_git(root)
        )
    last = said.strip().splitlines()[-1].removeprefix("fatal: ").rstrip(".")
    return GitFault(f"git cannot read the repository: {last}", "Repair it first.", stops=False)


def _owner(root: Path) -> int:
    """The id of the user who owns the repository, or else the workspace."""
    for folder in (root.resolve(), *root.resolve().parents):
        if (folder / ".git").exists():
            return folder.stat().st_uid
    return root.stat().st_uid


def _without_git(root: Path) -> bool:
    """Whether DVC is set to work without git."""
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
        env={**os.environ, "LC_ALL": "C"},  # its words are read here
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
