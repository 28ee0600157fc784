"""Registers a scorer as a version of the MLflow model, with hash and lineage."""

from __future__ import annotations

import importlib.metadata
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import autorec_core
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.files import write_json
from flows.processes.model_process import fingerprint
from flows.registry.versions import FIGURES, client, model_name
from flows.tracking import mlflow_runs

REQUIREMENTS = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "pydantic", "pyyaml")
EXAMPLE_ROWS = 5
LINEAGE, LEARNED = "lineage.json", "learned.parquet"


def register(
    dataset: str,
    scorer: Path,
    rows: pd.DataFrame,
    scores: np.ndarray,
    *,
    run: str | None,
    tags: Mapping[str, str],
    lineage: Mapping[str, Any],
    metrics: Mapping[str, float],
    learned: LearnedRows | None = None,
    root: Path = Path(),
) -> int:
    """Registers a scorer as a new version: a pyfunc saved as code, without pickle.

    Args:
        dataset: The data set.
        scorer: The scorer's folder.
        rows: Raw rows; the first few become the version's example.
        scores: The scorer's scores of these rows, shape (rows,).
        run: Id of the MLflow run it belongs to; None to create a run.
        tags: The lineage as tags.
        lineage: The full lineage, saved as a file of the version.
        metrics: Test metrics of the model.
        learned: Record of the rows that the model learned from, saved as a file of the version. The
            gate needs it to leave these rows out when it compares a later version.
        root: The workspace.

    Returns:
        The version's number.
    """
    import mlflow

    registry, name = client(root), model_name(dataset)
    mlflow_runs.open_experiment(root, dataset)
    with (
        tempfile.TemporaryDirectory() as folder,
        mlflow.start_run(run_id=run, run_name=None if run else "register") as active,
    ):
        document, record = Path(folder) / LINEAGE, Path(folder) / LEARNED
        write_json(document, lineage)
        files = {"scorer": _address(scorer), "lineage": _address(document)}
        if learned is not None:
            learned.save(record)
            files["learned"] = _address(record)
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts=files,
            code_paths=[str(Path(autorec_core.__file__).parent)],
            signature=_signature(rows.columns),
            pip_requirements=_requirements(),
            metadata={"example": example(rows, scores)},
        )
        copy = mlflow.artifacts.download_artifacts(logged.model_uri, dst_path=f"{folder}/copy")
        made = {"sha256": fingerprint(Path(copy)), "size": str(_size(scorer))}
    if not registry.search_registered_models(f"name = '{name}'"):
        _create(registry, name)
    figures = {
        f"{FIGURES}{mlflow_runs.metric_key(name)}": f"{value:.17g}"
        for name, value in metrics.items()
    }
    version = registry.create_model_version(
        name,
        source=logged.model_uri,
        run_id=active.info.run_id,
        model_id=logged.model_id,
        tags={**tags, **made, **figures},
    )
    return int(version.version)


def example(rows: pd.DataFrame, scores: np.ndarray) -> dict[str, Any]:
    """Returns the first few raw rows as values for JSON, with their scores."""
    columns = {
        name: [None if _missing(value) else value for value in column]
        for name, column in rows.head(EXAMPLE_ROWS).to_dict("list").items()
    }
    return {"rows": columns, "scores": [float(score) for score in scores[:EXAMPLE_ROWS]]}


def _address(path: Path) -> str:
    """Returns a path as a file URL, because MLflow would decode a "%" in a plain path."""
    return path.resolve().as_uri()


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _create(registry: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        registry.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process has just created it
            raise


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _signature(columns: pd.Index) -> Any:
    """Returns the signature. Columns have any type, because an id may be 196 or "196"."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in columns]),
        outputs=Schema([ColSpec(DataType.float)]),
    )


def _requirements() -> list[str]:
    """Returns the packages that the scorer needs, with their installed versions."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", *REQUIREMENTS)]
