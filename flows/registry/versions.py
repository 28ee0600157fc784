"""Versions, aliases and tags of a data set's registered model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autorec_core.errors import AutoRecError, ConfigError
from flows.tracking import mlflow_runs

FIGURES = "metric."
LIVE, PREVIOUS = "champion", "previous"
DESCRIPTION_LENGTH = 5000
"""MLflow's limit. A tag has the full table."""


class RegistryError(AutoRecError):
    """A model cannot be registered, found or trusted."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Args:
        dataset: The data set.
        number: Number of the version.
        aliases: The aliases that point to it.
        tags: Its tags: lineage, test metrics, decision.
        created: Time of registration in milliseconds since 1970.
    """

    dataset: str
    number: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    created: int

    @property
    def figures(self) -> dict[str, float]:
        """Its test metrics by name."""
        return {
            mlflow_runs.metric_name(key.removeprefix(FIGURES)): float(value)
            for key, value in self.tags.items()
            if key.startswith(FIGURES)
        }

    @property
    def state(self) -> str | None:
        """Its state in the gate, such as "promoted"; None before the gate."""
        return self.tags.get("state")


def model_name(dataset: str) -> str:
    """Returns the name of a data set's registered model."""
    return f"autorec-{dataset}"


def model_uri(dataset: str, number: int) -> str:
    """Returns the version's URI in MLflow."""
    return f"models:/{model_name(dataset)}/{number}"


def client(root: Path) -> Any:
    """Returns MLflow's client, connected to the workspace's tracking server or store."""
    import mlflow

    mlflow_runs.connect(root)
    return mlflow.MlflowClient()


@mlflow_runs.answered()
def list_versions(dataset: str, root: Path = Path()) -> list[Version]:
    """Returns the registered versions of a data set's model, newest first.

    Raises:
        UnreachableError: MLflow does not answer.
    """
    registry = client(root)
    found = registry.search_model_versions(f"name = '{model_name(dataset)}'")
    if not found:
        return []
    # MLflow's search returns versions without their aliases; the registered model has them.
    aliases: dict[str, list[str]] = {}
    for alias, number in registry.get_registered_model(model_name(dataset)).aliases.items():
        aliases.setdefault(str(number), []).append(alias)
    versions = [
        Version(
            dataset,
            int(version.version),
            tuple(sorted(aliases.get(str(version.version), []))),
            version.tags,
            version.creation_timestamp,
        )
        for version in found
    ]
    return sorted(versions, key=lambda version: -version.number)


def get_version(dataset: str, number: int, root: Path = Path()) -> Version:
    """Returns one version.

    Raises:
        ConfigError: There is no version with this number.
    """
    versions = list_versions(dataset, root)
    for version in versions:
        if version.number == number:
            return version
    known = ", ".join(str(version.number) for version in reversed(versions)) or "none"
    raise ConfigError(f"{model_name(dataset)} has no version {number}. Versions: {known}.")


@mlflow_runs.answered()
def aliased(dataset: str, alias: str, root: Path = Path()) -> Version:
    """Returns the version that an alias points to, with one request.

    Raises:
        ConfigError: No version has this alias.
        UnreachableError: MLflow does not answer.
    """
    found = _by_alias(client(root), dataset, alias)
    if found is None:
        raise ConfigError(
            f"No version of {model_name(dataset)} has the alias {alias!r} yet: "
            f"`autorec run {dataset}` registers one."
        )
    return Version(dataset, int(found.version), (alias,), found.tags, int(found.creation_timestamp))


def alias_of(registry: Any, dataset: str, alias: str) -> int | None:
    """Returns the number of the version that an alias points to, or None."""
    found = _by_alias(registry, dataset, alias)
    return None if found is None else int(found.version)


def _by_alias(registry: Any, dataset: str, alias: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return registry.get_model_version_by_alias(model_name(dataset), alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def set_tags(registry: Any, dataset: str, number: int, tags: Mapping[str, str]) -> None:
    """Sets tags of a version, one after the other, in the given order."""
    for key, value in tags.items():
        registry.set_model_version_tag(model_name(dataset), str(number), key, value)


def describe(registry: Any, dataset: str, number: int, text: str) -> None:
    """Sets a version's description, cut to MLflow's maximum length."""
    registry.update_model_version(model_name(dataset), str(number), text[:DESCRIPTION_LENGTH])
