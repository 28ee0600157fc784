"""Reads artifacts of the MLflow server of `make up` while that server does not run.

Models registered through the server have URLs such as `mlflow-artifacts:/...`; their files are in a
folder next to the workspace's store. MLflow alone can read them only while the server runs, so
`make down` would hide the champion. The entry point in pyproject.toml makes MLflow use this module.
MLflow imports it in every process, also where a model runs on the code registered with it, so this
module must not import `autorec_core`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flows.addresses import ARTIFACTS, STORE, sqlite_file


def proxied_artifacts(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> Any:
    """Returns MLflow's artifact repository for a URI of the scheme `mlflow-artifacts`.

    Args:
        artifact_uri: The URI.
        tracking_uri: MLflow's store; None for the current one.
        registry_uri: MLflow's registry.

    Returns:
        The folder next to a workspace's own store, or the repository of the tracking server.
    """
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
    from mlflow.tracking import get_tracking_uri

    place = _place(artifact_uri, tracking_uri or get_tracking_uri())
    if place is None:
        return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
    return LocalArtifactRepository(place.as_uri(), tracking_uri, registry_uri)


def _place(artifact_uri: str, tracking_uri: str) -> Path | None:
    """Returns the local path of a URI, or None if the URI belongs to another server."""
    database, asked = sqlite_file(tracking_uri), urlsplit(artifact_uri)
    if database is None or asked.netloc or database.name != STORE:
        return None
    kept = database.absolute().with_name(ARTIFACTS)
    place = (kept / unquote(asked.path).lstrip("/")).resolve()
    return place if place.is_relative_to(kept.resolve()) else None
