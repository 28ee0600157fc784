"""The model registry: versions that carry their lineage, a gate before the alias moves.

With tracking, the only importer of MLflow.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import autorec_core
from autorec_core.data.schema import Schema
from autorec_core.errors import AutoRecError, ConfigError
from autorec_core.evaluation import row_losses
from flows import tracking
from flows.gate import compare

REQUIREMENTS = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "pydantic", "pyyaml")
EXAMPLE_ROWS = 5
FIGURES = "metric."
SMOKE_TEST = """
import json, sys
import mlflow, numpy as np, pandas as pd
tracking, uri, path = sys.argv[1:]
mlflow.set_tracking_uri(tracking)
expected = json.load(open(path, encoding="utf-8"))
rows = pd.DataFrame(expected["rows"])
found = np.asarray(mlflow.pyfunc.load_model(uri).predict(rows), dtype=float)
np.testing.assert_allclose(found, expected["scores"], rtol=1e-5, atol=1e-6)
"""


class RegistryError(AutoRecError):
    """A model cannot be registered, found or trusted."""


@dataclass(frozen=True)
class Version:
    """One registered model.

    Args:
        number: The version's number.
        aliases: The aliases that point to it.
        tags: Its tags: lineage, figures, decision.
    """

    number: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]

    def row(self) -> list[str]:
        """Number, aliases, figures, data, commit and decision, for a table."""
        figures = [
            f"{key.removeprefix(FIGURES).upper()} {float(value):.4f}"
            for key, value in self.tags.items()
            if key.startswith(FIGURES)
        ]
        return [
            str(self.number),
            ", ".join(self.aliases),
            "\n".join(figures),
            self.tags.get("dvc.prepared", "")[:8],
            self.tags.get("git.commit", "")[:8],
            self.tags.get("decision", ""),
        ]


def model_name(dataset: str) -> str:
    """The registered model's name for a data set."""
    return f"autorec-{dataset}"


def list_versions(dataset: str, root: Path = Path()) -> list[Version]:
    """The registered versions of a data set's model, newest first."""
    client = _client(root)
    found = client.search_model_versions(f"name = '{model_name(dataset)}'")
    if not found:
        return []
    # A version found by search does not carry its aliases; the model knows them.
    aliases: dict[str, list[str]] = {}
    for alias, number in client.get_registered_model(model_name(dataset)).aliases.items():
        aliases.setdefault(str(number), []).append(alias)
    versions = [
        Version(int(one.version), tuple(sorted(aliases.get(str(one.version), []))), one.tags)
        for one in found
    ]
    return sorted(versions, key=lambda version: -version.number)


def register(
    dataset: str,
    scorer: Path,
    rows: pd.DataFrame,
    scores: np.ndarray,
    *,
    run: str | None,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    root: Path = Path(),
) -> int:
    """Registers a scorer as a new version, as a pyfunc saved as code, with no pickle.

    Args:
        dataset: The data set.
        scorer: The scorer's folder.
        rows: Raw rows; the first few become the version's example.
        scores: What the scorer says of them, shape (rows,).
        run: The MLflow run it belongs to; None for a run of its own.
        tags: Lineage.
        metrics: Test figures of the model.
        root: The workspace.

    Returns:
        The version's number.
    """
    import mlflow

    client, name = _client(root), model_name(dataset)
    example = rows.head(EXAMPLE_ROWS).reset_index(drop=True)
    tracking.open_experiment(root, dataset)
    with mlflow.start_run(run_id=run, run_name=None if run else "register") as active:
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"scorer": str(scorer.resolve())},
            code_paths=[str(Path(autorec_core.__file__).parent)],
            signature=_signature(example.columns),
            pip_requirements=_requirements(),
            metadata={"example": {"rows": example.to_dict("list"), "scores": _numbers(scores)}},
        )
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    figures = {f"{FIGURES}{key}": f"{value:.17g}" for key, value in metrics.items()}
    version = client.create_model_version(
        name,
        source=logged.model_uri,
        run_id=active.info.run_id,
        model_id=logged.model_id,
        tags={**tags, **figures},
    )
    return int(version.version)


def promote(
    dataset: str,
    number: int,
    schema: Schema,
    rows: pd.DataFrame,
    *,
    mode: str,
    min_improvement: float,
    seed: int,
    root: Path = Path(),
) -> str:
    """Holds a version against the champion on the same raw rows; the better one is live.

    Args:
        dataset: The data set.
        number: The challenger.
        schema: The schema of the rows.
        rows: Raw test rows with their labels.
        mode: "auto" moves the alias, "dry-run" and "manual" only say what would be.
        min_improvement: The mean loss that must be won.
        seed: Seeds the bootstrap.
        root: The workspace.

    Returns:
        The decision, in a sentence; it is also a tag of the version.
    """
    client, name = _client(root), model_name(dataset)
    with _one_at_a_time(root, name):
        smoke_test(dataset, number, root)
        champion = _alias(client, name, "champion")
        if champion == number:
            return f"Version {number} is the champion already."
        wins, why = _judge(name, champion, number, schema, rows, min_improvement, seed)
        if not wins:
            verdict = f"version {champion} stays champion"
        elif mode == "auto":
            verdict = f"version {number} is the new champion"
        else:
            verdict = f"version {number} would be the new champion (registry.mode is {mode})"
        decision = f"{verdict[0].upper()}{verdict[1:]}: {why}."
        client.set_model_version_tag(name, str(number), "decision", decision)
        if wins and mode == "auto":
            _move(client, name, champion, number)
        return decision


def describe(dataset: str, number: int, text: str, root: Path = Path()) -> None:
    """Gives a version its description, in Markdown."""
    _client(root).update_model_version(model_name(dataset), str(number), description=text)


def smoke_test(dataset: str, number: int, root: Path = Path()) -> None:
    """Loads a version in a clean process by its URI and has it score its own example.

    Raises:
        RegistryError: It does not load, or does not give the numbers it was registered with.
    """
    import mlflow

    uri = f"models:/{model_name(dataset)}/{number}"
    example = (mlflow.models.get_model_info(uri).metadata or {})["example"]
    with tracking.scratch_file(json.dumps(example)) as path:
        done = subprocess.run(
            [sys.executable, "-I", "-c", SMOKE_TEST, mlflow.get_tracking_uri(), uri, str(path)],
            env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise RegistryError(f"{uri} does not pass its smoke test and is not promoted: {last}")


def load_champion(dataset: str, alias: str = "champion", root: Path = Path()) -> Any:
    """The live model as a pyfunc, and its version's number.

    Raises:
        ConfigError: No version has this alias.
    """
    import mlflow

    client = _client(root)
    number = _alias(client, model_name(dataset), alias)
    if number is None:
        raise ConfigError(
            f"No version of {model_name(dataset)} has the alias {alias!r} yet: "
            f"`autorec run {dataset}` registers one."
        )
    return mlflow.pyfunc.load_model(f"models:/{model_name(dataset)}/{number}"), number


def _judge(
    name: str,
    champion: int | None,
    challenger: int,
    schema: Schema,
    rows: pd.DataFrame,
    min_improvement: float,
    seed: int,
) -> tuple[bool, str]:
    """Whether the challenger wins, and why."""
    if champion is None:
        return True, "there was no champion"
    features = rows[schema.columns]
    losses = {}
    for number in (champion, challenger):
        scores = _predict(f"models:/{name}/{number}", features)
        losses[number] = row_losses(schema.task, rows[schema.label].to_numpy(), scores)
    comparison = compare(losses[champion], losses[challenger], seed)
    return comparison.wins(min_improvement), str(comparison)


def _predict(uri: str, rows: pd.DataFrame) -> np.ndarray:
    import mlflow

    return np.asarray(mlflow.pyfunc.load_model(uri).predict(rows))


def _move(client: Any, name: str, champion: int | None, number: int) -> None:
    """Moves the alias; the former champion stays reachable as `previous`."""
    if champion is not None:
        client.set_registered_model_alias(name, "previous", str(champion))
    client.set_registered_model_alias(name, "champion", str(number))


def _alias(client: Any, name: str, alias: str) -> int | None:
    from mlflow.exceptions import MlflowException

    try:
        return int(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _client(root: Path) -> Any:
    import mlflow

    tracking.connect(root)
    return mlflow.MlflowClient()


def _signature(columns: pd.Index) -> Any:
    """Raw columns of any type: an id may come as 196 or as "196"."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in columns]),
        outputs=Schema([ColSpec(DataType.float)]),
    )


def _requirements() -> list[str]:
    """What the scorer imports, at the versions it was made with."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", *REQUIREMENTS)]


def _numbers(scores: np.ndarray) -> list[float]:
    return [float(score) for score in scores[:EXAMPLE_ROWS]]


@contextmanager
def _one_at_a_time(root: Path, name: str) -> Iterator[None]:
    """Serialises promotions of a model on this machine: MLflow sets aliases unconditionally."""
    with (root / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
