"""What the registry knows of a data set's model: versions, aliases, tags."""

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
"""MLflow's limit; the whole table stands in a tag."""


class RegistryError(AutoRecError):
    """A model cannot be registered, found or trusted."""


@dataclass(frozen=True)
class Version:
    """One registered model.

    Args:
        dataset: Its data set.
        number: The version's number.
        aliases: The aliases that point to it.
        tags: Its tags: lineage, figures, decision.
        created: Milliseconds since 1970.
    """

    dataset: str
    number: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    created: int

    @property
    def figures(self) -> dict[str, float]:
        """Its test figures by metric."""
        return {
            key.removeprefix(FIGURES): float(value)
            for key, value in self.tags.items()
            if key.startswith(FIGURES)
        }

    @property
    def state(self) -> str | None:
        """How far the gate has come with it; None before the gate."""
        return self.tags.get("state")


def model_name(dataset: str) -> str:
    """The registered model's name for a data set."""
    return f"autorec-{dataset}"


def model_uri(dataset: str, number: int) -> str:
    """The version's address for MLflow."""
    return f"models:/{model_name(dataset)}/{number}"


def client(root: Path) -> Any:
    """MLflow's client, connected to the workspace's tracking server or store."""
    import mlflow

    mlflow_runs.connect(root)
    return mlflow.MlflowClient()


@mlflow_runs.answered()
def list_versions(dataset: str, root: Path = Path()) -> list[Version]:
    """The registered versions of a data set's model, newest first.

    Raises:
        UnreachableError: MLflow does not answer.
    """
    registry = client(root)
    found = registry.search_model_versions(f"name = '{model_name(dataset)}'")
    if not found:
        return []
    # A version found by search does not carry its aliases; the model knows them.
    aliases: dict[str, list[str]] = {}
    for alias, number in registry.get_registered_model(model_name(dataset)).aliases.items():
        aliases.setdefault(str(number), []).append(alias)
    versions = [
        Version(
            dataset,
            int(one.version),
            tuple(sorted(aliases.get(str(one.version), []))),
            one.tags,
            one.creation_timestamp,
        )
        for one in found
    ]
    return sorted(versions, key=lambda version: -version.number)


def get_version(dataset: str, number: int, root: Path = Path()) -> Version:
    """One version.

    Raises:
        ConfigError: There is none of this number.
    """
    versions = list_versions(dataset, root)
    for version in versions:
        if version.number == number:
            return version
    known = ", ".join(str(version.number) for version in reversed(versions)) or "none"
    raise ConfigError(f"{model_name(dataset)} has no version {number}. Versions: {known}.")


@mlflow_runs.answered()
def aliased(dataset: str, alias: str, root: Path = Path()) -> Version:
    """The version that an alias points to, in one request.

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
    """The number of the version that an alias points to; None where there is none."""
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
    """Sets tags of a version, one after the other, in the order given."""
    for key, value in tags.items():
        registry.set_model_version_tag(model_name(dataset), str(number), key, value)


def describe(registry: Any, dataset: str, number: int, text: str) -> None:
    """Sets a version's description, cut where MLflow would refuse it."""
    registry.update_model_version(model_name(dataset), str(number), text[:DESCRIPTION_LENGTH])
