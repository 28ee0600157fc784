"""The lineage of a model: commit, data, params, seed, environment, data checks."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import autorec_core
from autorec_core.errors import DataError
from flows.config import Params, own_modes
from flows.processes.model_process import fingerprint
from flows.repository import git, in_commit
from flows.results import test_figures
from flows.workspace import Places

KINDS = ("raw", "prepared", "model")
# Git pathspecs. OWN excludes files that every run writes: they are not changes of the code.
CODE = ("autorec_core", "flows")
OWN = (":!dvc.lock", ":!params.yaml", ":!data", ":!reports")


def lineage(params: Params, places: Places) -> dict[str, Any]:
    """Collects everything that is needed to build a data set's model again.

    Returns:
        A dict for JSON with "git", "dvc_lock" (the stages of the data set), "params" (params.yaml
        with only this data set), "environment", "code" (a hash of AutoRec's code), "checks",
        "metrics", "intervals" of the test losses, "plan" (how and why it was trained) and "winner"
        (its settings).

    Raises:
        DataError: dvc.lock has no evaluated model, or the result of a data check is missing.
    """
    return {
        "dataset": places.dataset,
        "git": git_state(places.root),
        "dvc_lock": locked_stages(places),
        "params": only(params, places.dataset),
        "environment": environment(places.root),
        "code": running_code(),
        "checks": {name: _read(places.checks / f"{name}.json") for name in ("raw", "splits")},
        "metrics": test_figures(places)["model"],
        "intervals": _read(places.evaluation / "intervals.json"),
        "plan": _read(plan) if (plan := places.plan / "plan.json").exists() else None,
        "winner": _read(places.search / "winner" / "result.json"),
    }


def lineage_tags(document: Mapping[str, Any]) -> dict[str, str]:
    """Returns a lineage as tags: hashes of data and model, commit, seed, environment, checks."""
    dataset, outs = document["dataset"], out_hashes(document["dvc_lock"])
    met, asked = data_checks(document)
    return {
        **{f"dvc.{kind}": outs[f"data/{kind}/{dataset}"] for kind in KINDS},
        **{f"git.{key}": str(value) for key, value in document["git"].items()},
        "seed": str(document["params"]["seed"]),
        "params.sha256": _digest(document["params"]),
        "code.sha256": document["code"],
        "environment.sha256": _digest(document["environment"]),
        "python": document["environment"]["python"],
        "data_checks": f"{met} of {asked} passed",
    }


def data_checks(document: Mapping[str, Any]) -> tuple[int, int]:
    """Returns the number of expectations that the data passed, and of all expectations."""
    return _met(_expectations(document))


def required_checks(document: Mapping[str, Any]) -> tuple[int, int]:
    """Returns the same numbers for required expectations: without those of `warn_only`."""
    return _met([check for check in _expectations(document) if check["severity"] == "error"])


def _expectations(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        expectation
        for results in document["checks"].values()
        for expectation in results["expectations"]
    ]


def _met(expectations: list[Mapping[str, Any]]) -> tuple[int, int]:
    return sum(check["success"] for check in expectations), len(expectations)


def only(params: Params, dataset: str) -> dict[str, Any]:
    """Returns the content of params.yaml with only one data set."""
    content = params.model_dump(mode="json")
    content["datasets"] = {dataset: content["datasets"][dataset]}
    own = {"datasets": [dataset], "retrain_datasets": own_modes(content, dataset)}
    content["pipeline"] = {**content["pipeline"], **own}
    return content


def locked_stages(places: Places) -> dict[str, Any]:
    """Returns the stages of a data set in dvc.lock.

    Raises:
        DataError: dvc.lock has no evaluated model of the data set.
    """
    path = places.root / "dvc.lock"
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        own = {name: stages[name] for name in stages if name.endswith(f"@{places.dataset}")}
        outs = out_hashes(own)
        missing = [kind for kind in KINDS if f"data/{kind}/{places.dataset}" not in outs]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise DataError(f"{path} has no evaluated model of {places.dataset}.") from error
    if missing:
        raise DataError(f"{path} has no evaluated model of {places.dataset}.")
    return own


def out_hashes(stages: Mapping[str, Any]) -> dict[str, str]:
    """Returns the hash of each output of some stages, by path."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}


def git_state(root: Path) -> dict[str, Any]:
    """Returns the workspace's commit, and whether its code differs from that commit ("dirty")."""
    commit = git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return {}
    changed = git(root, "status", "--porcelain", "-uno", "--", ".", *OWN)
    new = git(root, "status", "--porcelain", "-unormal", "--", *CODE)
    return {"commit": commit, "dirty": bool(changed or new) or not in_commit(root)}


@cache  # the running code stays the same, even if its files change
def running_code() -> str:
    """Returns a hash of AutoRec's code that runs here."""
    return fingerprint(Path(autorec_core.__file__).parent)


def environment(root: Path) -> dict[str, Any]:
    """Returns Python version, platform, versions of installed packages and the lock's hash."""
    lock = root / "requirements.lock"
    packages = {
        package.metadata["Name"]: package.version
        for package in importlib.metadata.distributions()
        if package.metadata["Name"]
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
        raise DataError(f"{path} is not a result of the pipeline: {error}.") from error


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
