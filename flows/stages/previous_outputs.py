"""Reads the output of a stage for the previous version of its data.

DVC removes a stage's outputs before it runs the stage again. dvc.lock still has the hashes of the
last successful run, and the cache has the files. A new version is therefore always compared with
the last version that passed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


def previous_json(root: Path, out: Path) -> Any | None:
    """Reads the JSON file that was at `out` when its stage last succeeded.

    Args:
        root: The workspace.
        out: Path of the file in dvc.yaml.

    Returns:
        Its content. None if the stage never succeeded, or the cache does not have the file.
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
