"""Moves the champion alias under the lock: forward, by hand, and back.

A version's tag `state` is "promoting" only under the lock, so whoever holds it knows a version in
that state for one that was cut off: the alias it was to get still stands where it stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autorec_core.errors import ConfigError
from flows.registry.server_lock import Lease, exclusive
from flows.registry.smoke_test import smoke_test
from flows.registry.versions import (
    LIVE,
    PREVIOUS,
    RegistryError,
    Version,
    alias_of,
    client,
    get_version,
    list_versions,
    model_name,
    set_tags,
)
from flows.tracking import mlflow_runs

PROMOTING, PROMOTED, REFUSED, HELD = "promoting", "promoted", "refused", "held"
ROLLED_BACK, CUT_OFF = "rolled back", "cut off"


@mlflow_runs.answered()
def promote_by_hand(dataset: str, number: int, root: Path = Path()) -> str:
    """Makes a version the champion because somebody says so, once it passes its smoke test.

    Raises:
        ConfigError: There is no such version.
        RegistryError: It does not pass its smoke test; the champion stays.
        UnreachableError: MLflow does not answer.
    """
    registry = client(root)
    smoke_test(get_version(dataset, number, root), root=root)
    with exclusive(registry, model_name(dataset)) as lease:
        champion = alias_of(registry, dataset, LIVE)
        if champion == number:
            return f"Version {number} is the champion already."
        over = f" in place of version {champion}" if champion else ""
        said = f"Version {number} was made champion by hand{over}."
        clean_up(registry, dataset, number, champion, root)
        set_tags(registry, dataset, number, {"state": PROMOTING, "decision": said})
        move(registry, dataset, champion, number, lease)
    return said


@mlflow_runs.answered()
def roll_back(dataset: str, reason: str, root: Path = Path()) -> str:
    """Makes the champion before this one live again, once it passes its smoke test.

    Args:
        dataset: The data set.
        reason: Why; it is kept on the version that is taken back.
        root: The workspace.

    Raises:
        ConfigError: There is no champion, or none before it.
        RegistryError: The one before does not pass its smoke test; the champion stays.
        UnreachableError: MLflow does not answer.
    """
    registry = client(root)
    champion, before = _last_two(registry, dataset, root)
    smoke_test(get_version(dataset, before, root), root=root)
    with exclusive(registry, model_name(dataset)) as lease:
        if _last_two(registry, dataset, root) != (champion, before):
            raise RegistryError(
                f"The champion of {dataset} changed meanwhile; nothing was rolled back."
            )
        said = f"Rolled back to version {before}: {reason}"
        tags = {"rollback.reason": reason, "rollback.at": _now(), "decision": said}
        set_tags(registry, dataset, champion, {**tags, "state": ROLLED_BACK})
        lease.assure()
        registry.set_registered_model_alias(model_name(dataset), LIVE, str(before))
        further = _over(get_version(dataset, before, root))
        if further is None:
            registry.delete_registered_model_alias(model_name(dataset), PREVIOUS)
        else:
            registry.set_registered_model_alias(model_name(dataset), PREVIOUS, str(further))
    return f"Version {before} is the champion again; version {champion} was rolled back: {reason}"


def move(registry: Any, dataset: str, champion: int | None, number: int, lease: Lease) -> None:
    """Moves the alias; the former champion stays reachable as `previous`."""
    lease.assure()
    over = "" if champion is None else str(champion)
    set_tags(registry, dataset, number, {"promoted.over": over, "promoted.at": _now()})
    if champion is not None:
        registry.set_registered_model_alias(model_name(dataset), PREVIOUS, over)
    registry.set_registered_model_alias(model_name(dataset), LIVE, str(number))
    set_tags(registry, dataset, number, {"state": PROMOTED})
    if "rollback.reason" in _tags(registry, dataset, number):
        registry.delete_model_version_tag(model_name(dataset), str(number), "rollback.reason")


def clean_up(registry: Any, dataset: str, number: int, champion: int | None, root: Path) -> None:
    """Says of versions whose run was cut off what became of them; only ever under the lock."""
    for version in list_versions(dataset, root):
        if version.number == number:
            continue
        if version.state == PROMOTING and version.number == champion:
            set_tags(registry, dataset, version.number, {"state": PROMOTED})
        elif version.state == PROMOTING:
            had_said = version.tags.get("decision")
            said = f"Its run was cut off before the alias moved. It had said: {had_said}"
            set_tags(registry, dataset, version.number, {"state": CUT_OFF, "decision": said})
        elif version.state is None and version.number < number:
            # If its run is alive after all, it overwrites this with its own decision.
            said = f"Its run ended before the gate; version {number} was judged since."
            set_tags(registry, dataset, version.number, {"state": CUT_OFF, "decision": said})


def _tags(registry: Any, dataset: str, number: int) -> Mapping[str, str]:
    """A version's tags as they are now."""
    return registry.get_model_version(model_name(dataset), str(number)).tags


def _last_two(registry: Any, dataset: str, root: Path) -> tuple[int, int]:
    """The champion and the champion before it."""
    champion = alias_of(registry, dataset, LIVE)
    if champion is None:
        raise ConfigError(f"{model_name(dataset)} has no champion to roll back from.")
    before = _over(get_version(dataset, champion, root))
    if before is None:
        raise ConfigError(
            f"Version {champion} is the first champion of {dataset}: there is none before it."
        )
    get_version(dataset, before, root)
    return champion, before


def _over(version: Version) -> int | None:
    """The champion that this one replaced."""
    over = version.tags.get("promoted.over")
    return int(over) if over else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
