"""Registers what the pipeline made: the scorer with its lineage, then the gate."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from autorec_core.config import Params
from autorec_core.data.store import load_rows, load_schema
from autorec_core.errors import DataError
from autorec_core.scorer import Scorer
from flows import registry, tracking
from flows.paths import Places
from flows.results import test_figures


def register_winner(params: Params, places: Places) -> str:
    """Registers the evaluated scorer and holds it against the champion.

    A scorer that is registered already is not registered again.

    Returns:
        The decision, in a sentence.

    Raises:
        DataError: The pipeline has not evaluated a model yet.
        RegistryError: The new version does not pass its smoke test.
    """
    tags = lineage(params, places)
    schema = load_schema(places.prepared)
    rows = load_rows(places.prepared, "test")
    number = _registered(places, tags)
    if number is None:
        features = rows[schema.columns]
        scores = Scorer.load(places.model).score(features.head(registry.EXAMPLE_ROWS))
        number = registry.register(
            places.dataset,
            places.model,
            features,
            scores,
            run=tracking.search_run(places),
            tags=tags,
            metrics=test_figures(places)["model"],
            root=places.root,
        )
    return registry.promote(
        places.dataset,
        number,
        schema,
        rows,
        mode=params.registry.mode,
        min_improvement=params.registry.min_improvement,
        seed=params.seed,
        root=places.root,
    )


def lineage(params: Params, places: Places) -> dict[str, str]:
    """Where a model comes from: commit, hashes of its data and of itself, params, seed.

    Raises:
        DataError: dvc.lock does not tell of an evaluated model.
    """
    path = places.root / "dvc.lock"
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        outs = {
            out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])
        }
        hashes = {
            f"dvc.{kind}": outs[f"data/{kind}/{places.dataset}"]
            for kind in ("raw", "prepared", "model")
        }
    except (OSError, KeyError, TypeError) as error:
        raise DataError(f"{path} tells of no evaluated model of {places.dataset}.") from error
    flat = json.dumps(params.flat(places.dataset), sort_keys=True)
    return {**hashes, **_commit(places.root), "seed": str(params.seed), "params": flat[:5000]}


def _registered(places: Places, tags: dict[str, str]) -> int | None:
    """The version that holds this very scorer, if there is one."""
    for version in registry.list_versions(places.dataset, places.root):
        if version.tags.get("dvc.model") == tags["dvc.model"]:
            return version.number
    return None


def _commit(root: Path) -> dict[str, str]:
    """The git commit of the workspace, and whether it had changes of its own."""

    def git(*arguments: str) -> Any:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"git.commit": commit, "git.dirty": str(bool(git("status", "--porcelain", "-uno")))}
