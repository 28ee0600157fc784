"""Files that the MLflow server of `make up` keeps for others, read where that server does not run.

What is registered through the server lies at `mlflow-artifacts:/...`, in a folder beside the
workspace's store. MLflow alone finds it through a running server only, so that a champion would be
lost with `make down`. MLflow loads this for that scheme, by the entry point in pyproject.toml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flows.addresses import sqlite_file
from flows.workspace import ARTIFACTS, STORE


def proxied_artifacts(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> Any:
    """MLflow's repository for an address of the scheme `mlflow-artifacts`.

    Args:
        artifact_uri: The address.
        tracking_uri: MLflow's store; None for the current one.
        registry_uri: MLflow's registry.

    Returns:
        The folder beside a workspace's own store, or whatever the tracking server keeps.
    """
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
    from mlflow.tracking import get_tracking_uri

    place = _place(artifact_uri, tracking_uri or get_tracking_uri())
    if place is None:
        return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
    return LocalArtifactRepository(place.as_uri(), tracking_uri, registry_uri)


def _place(artifact_uri: str, tracking_uri: str) -> Path | None:
    """Where the server of a workspace keeps an address; None if it is another server's."""
    database, asked = sqlite_file(tracking_uri), urlsplit(artifact_uri)
    if database is None or asked.netloc or database.name != STORE:
        return None
    kept = database.absolute().with_name(ARTIFACTS)
    place = (kept / unquote(asked.path).lstrip("/")).resolve()
    return place if place.is_relative_to(kept.resolve()) else None
