"""What a stage wrote for the previous version of its data, as dvc.lock remembers it.

DVC removes a stage's results before it runs again; dvc.lock still names those of the last run that
succeeded, and the cache holds them. So a new version is always held against the last good one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


def previous_json(root: Path, out: Path) -> Any | None:
    """The JSON file that was at `out` when its stage last succeeded.

    Args:
        root: The workspace.
        out: The file, as dvc.yaml names it.

    Returns:
        Its content; `None` where the stage never succeeded, or the cache has not got the file.
    """
    try:
        stages = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    except (OSError, KeyError, TypeError):
        return None
    hashes = {one["path"]: one["md5"] for stage in stages.values() for one in stage.get("outs", [])}
    digest = hashes.get(out.relative_to(root).as_posix() if out.is_absolute() else out.as_posix())
    if digest is None:
        return None
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        cached = Path(repo.cache.local.oid_to_path(digest))
    try:
        return json.loads(cached.read_text(encoding="utf-8"))
    except OSError:
        return None
