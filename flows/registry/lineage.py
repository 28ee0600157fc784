"""Where a model comes from: commit, data, params, seed, environment, data checks."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from autorec_core.errors import DataError
from flows.config import Params
from flows.repository import git, in_commit
from flows.results import test_figures
from flows.workspace import Places

KINDS = ("raw", "prepared", "model")
# Written by every run and kept here themselves; they are no change of the code.
CODE = ("autorec_core", "flows")
OWN = (":!dvc.lock", ":!params.yaml", ":!data", ":!reports")


def lineage(params: Params, places: Places) -> dict[str, Any]:
    """All that is needed to build a data set's model again.

    Returns:
        JSON's types: "git", "dvc_lock" (the stages of the data set), "params" (params.yaml with
        this data set alone), "environment", "checks" and "metrics".

    Raises:
        DataError: dvc.lock does not tell of an evaluated model, or a check's result is missing.
    """
    return {
        "dataset": places.dataset,
        "git": git_state(places.root),
        "dvc_lock": locked_stages(places),
        "params": only(params, places.dataset),
        "environment": environment(places.root),
        "checks": {name: _read(places.checks / f"{name}.json") for name in ("raw", "splits")},
        "metrics": test_figures(places)["model"],
    }


def in_brief(document: Mapping[str, Any]) -> dict[str, str]:
    """A lineage as tags: hashes of data and model, commit, seed, environment, data checks."""
    dataset, outs = document["dataset"], out_hashes(document["dvc_lock"])
    met, asked = data_checks(document)
    return {
        **{f"dvc.{kind}": outs[f"data/{kind}/{dataset}"] for kind in KINDS},
        **{f"git.{key}": str(value) for key, value in document["git"].items()},
        "seed": str(document["params"]["seed"]),
        "params.sha256": _digest(document["params"]),
        "environment.sha256": _digest(document["environment"]),
        "python": document["environment"]["python"],
        "data_checks": f"{met} of {asked} passed",
    }


def data_checks(document: Mapping[str, Any]) -> tuple[int, int]:
    """How many expectations the data met, and how many there were."""
    return _met(_expectations(document))


def binding_checks(document: Mapping[str, Any]) -> tuple[int, int]:
    """The same of those whose failure stops; what `warn_only` names is reported, no more."""
    return _met([one for one in _expectations(document) if one["severity"] == "error"])


def _expectations(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for check in document["checks"].values() for one in check["expectations"]]


def _met(expectations: list[Mapping[str, Any]]) -> tuple[int, int]:
    return sum(one["success"] for one in expectations), len(expectations)


def only(params: Params, dataset: str) -> dict[str, Any]:
    """params.yaml's content with one data set alone."""
    content = params.model_dump(mode="json")
    content["datasets"] = {dataset: content["datasets"][dataset]}
    content["pipeline"] = {**content["pipeline"], "datasets": [dataset]}
    return content


def locked_stages(places: Places) -> dict[str, Any]:
    """What dvc.lock tells of a data set's stages.

    Raises:
        DataError: It does not tell of an evaluated model.
    """
    path = places.root / "dvc.lock"
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        own = {name: one for name, one in stages.items() if name.endswith(f"@{places.dataset}")}
        outs = out_hashes(own)
        missing = [kind for kind in KINDS if f"data/{kind}/{places.dataset}" not in outs]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise DataError(f"{path} tells of no evaluated model of {places.dataset}.") from error
    if missing:
        raise DataError(f"{path} tells of no evaluated model of {places.dataset}.")
    return own


def out_hashes(stages: Mapping[str, Any]) -> dict[str, str]:
    """The hash of everything that stages made, by its path."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}


def git_state(root: Path) -> dict[str, Any]:
    """The commit of the workspace, and whether its code differs from what that commit has."""
    commit = git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return {}
    changed = git(root, "status", "--porcelain", "-uno", "--", ".", *OWN)
    new = git(root, "status", "--porcelain", "-unormal", "--", *CODE)
    return {"commit": commit, "dirty": bool(changed or new) or not in_commit(root)}


def environment(root: Path) -> dict[str, Any]:
    """Python, platform, the installed packages' versions and the lock's hash."""
    lock = root / "requirements.lock"
    packages = {
        one.metadata["Name"]: one.version
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": dict(sorted(packages.items())),
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None,
    }


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no result of a data check: {error}.") from error


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
