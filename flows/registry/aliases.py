"""Moves the champion alias under the lock: by the gate, by hand, and back.

A version's tag `state` is "promoting" only while a process holds the lock. If another process holds
the lock and finds a version in this state, the process that promoted it was killed before the alias
moved.
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
    """Makes a version the champion on a user's request, if it passes its smoke test.

    Returns:
        A sentence about what was done.

    Raises:
        ConfigError: There is no such version.
        RegistryError: It fails its smoke test. The champion stays.
        UnreachableError: MLflow does not answer.
    """
    registry = client(root)
    smoke_test(get_version(dataset, number, root), root=root)
    with exclusive(registry, model_name(dataset)) as lease:
        champion = alias_of(registry, dataset, LIVE)
        if champion == number:
            return f"Version {number} is already the champion."
        over = f" in place of version {champion}" if champion else ""
        decision = f"Version {number} was made champion by hand{over}."
        clean_up(registry, dataset, number, champion, root)
        set_tags(registry, dataset, number, {"state": PROMOTING, "decision": decision})
        move(registry, dataset, champion, number, lease)
    return decision


@mlflow_runs.answered()
def roll_back(dataset: str, reason: str, root: Path = Path()) -> str:
    """Makes the previous champion live again, if it passes its smoke test.

    Args:
        dataset: The data set.
        reason: Why. It is recorded in the tags of the version that is rolled back.
        root: The workspace.

    Returns:
        A sentence about what was done.

    Raises:
        ConfigError: There is no champion, or no previous champion.
        RegistryError: The previous champion fails its smoke test. The champion stays.
        UnreachableError: MLflow does not answer.
    """
    registry = client(root)
    champion, before = _last_two(registry, dataset, root)
    smoke_test(get_version(dataset, before, root), root=root)
    with exclusive(registry, model_name(dataset)) as lease:
        if _last_two(registry, dataset, root) != (champion, before):
            raise RegistryError(
                f"The champion of {dataset} has just changed, so nothing was rolled back."
            )
        decision = f"Rolled back to version {before}: {reason}"
        tags = {"rollback.reason": reason, "rollback.at": _now(), "decision": decision}
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
    """Moves the alias. The former champion gets the alias `previous`."""
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
    """Corrects the states of versions whose run was killed. Call it only under the lock."""
    for version in list_versions(dataset, root):
        if version.number == number:
            continue
        if version.state == PROMOTING and version.number == champion:
            set_tags(registry, dataset, version.number, {"state": PROMOTED})
        elif version.state == PROMOTING:
            earlier = version.tags.get("decision")
            decision = f"Its run was killed before the alias moved. The decision was: {earlier}"
            set_tags(registry, dataset, version.number, {"state": CUT_OFF, "decision": decision})
        elif version.state is None and version.number < number:
            # If its run is still alive, it overwrites this with its own decision.
            decision = f"Its run ended before the gate. The gate has since judged version {number}."
            set_tags(registry, dataset, version.number, {"state": CUT_OFF, "decision": decision})


def _tags(registry: Any, dataset: str, number: int) -> Mapping[str, str]:
    """Returns the current tags of a version."""
    return registry.get_model_version(model_name(dataset), str(number)).tags


def _last_two(registry: Any, dataset: str, root: Path) -> tuple[int, int]:
    """Returns the numbers of the champion and the previous champion."""
    champion = alias_of(registry, dataset, LIVE)
    if champion is None:
        raise ConfigError(f"{model_name(dataset)} has no champion to roll back from.")
    before = _over(get_version(dataset, champion, root))
    if before is None:
        raise ConfigError(
            f"Version {champion} is the first champion of {dataset}: there is no previous one."
        )
    get_version(dataset, before, root)
    return champion, before


def _over(version: Version) -> int | None:
    """Returns the number of the champion that this version replaced, or None."""
    over = version.tags.get("promoted.over")
    return int(over) if over else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
