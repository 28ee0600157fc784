"""The gate at work: challenger and champion score the same rows, the better one goes live.

Models are scored first, without any lock. Then, under the lock that all machines share, the
champion is looked up again: if it is still the one that was compared with, the decision is noted
and the alias moves; if not, the comparison is made anew.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autorec_core.data.schema import Schema
from autorec_core.errors import ConfigError
from autorec_core.evaluation.figures import row_losses
from autorec_core.evaluation.intervals import clusters_of
from flows.config import RegistryParams
from flows.registry import gate
from flows.registry.aliases import HELD, PROMOTING, REFUSED, clean_up, move
from flows.registry.decision import Decision, Grounds
from flows.registry.guards import JudgedRows, Showing
from flows.registry.loading import learned_rows
from flows.registry.server_lock import exclusive
from flows.registry.smoke_test import Probed, latency_in_turn, smoke_test
from flows.registry.unseen_rows import Basis, basis
from flows.registry.versions import (
    LIVE,
    RegistryError,
    Version,
    alias_of,
    client,
    describe,
    get_version,
    model_name,
    set_tags,
)

ROUNDS = 5
AGAIN_SECONDS = 10.0
"""After so long a champion that could not be scored is tried again."""


@dataclass(frozen=True)
class Evidence:
    """What a challenger is judged by.

    Args:
        schema: The schema of the rows.
        rows: The current raw test rows with their labels.
        segments: Which rows belong to each segment, bool, shape (rows,).
        data_checks: How many of the expectations that must hold the data met, and how many there
            were.
        data: The hash of the data the rows come from.
        constant: The mean training label, which a model must beat where no champion can be.
    """

    schema: Schema
    rows: pd.DataFrame
    segments: Mapping[str, np.ndarray]
    data_checks: tuple[int, int]
    data: str
    constant: float


def hold_gate(
    dataset: str,
    number: int,
    evidence: Evidence,
    policy: RegistryParams,
    *,
    seed: int,
    root: Path = Path(),
) -> Decision:
    """Holds a version against the champion on the same raw rows; the better one is live.

    Args:
        dataset: The data set.
        number: The challenger.
        evidence: What both are judged by.
        policy: When a challenger wins, and whether it then goes live.
        seed: Seeds the bootstrap.
        root: The workspace.

    Returns:
        The decision; it is also noted on the version.

    Raises:
        RegistryError: The challenger does not pass its smoke test, or others kept moving the alias.
    """
    shown: dict[int, Probed] = {}
    try:
        return _held(dataset, number, evidence, policy, shown, seed, root)
    finally:
        for probed in shown.values():
            probed.close()


def _held(
    dataset: str,
    number: int,
    evidence: Evidence,
    policy: RegistryParams,
    shown: dict[int, Probed],
    seed: int,
    root: Path,
) -> Decision:
    """The decision of `hold_gate`; the versions it has loaded are left in `shown`."""
    registry = client(root)
    challenger = get_version(dataset, number, root)
    bases: dict[int, Basis] = {}
    for _ in range(ROUNDS):
        champion = alias_of(registry, dataset, LIVE)
        if (settled := _settled(challenger, champion, evidence, policy)) is not None:
            return settled
        if number not in shown:
            shown[number] = _try(registry, challenger, evidence, root)
        decision = _judge(challenger, champion, shown, bases, evidence, policy, seed, root)
        with exclusive(registry, model_name(dataset)) as lease:
            if alias_of(registry, dataset, LIVE) != champion:
                continue  # another flow was faster: its champion is the one to beat
            clean_up(registry, dataset, number, champion, root)
            _note(registry, dataset, decision, evidence, policy)
            if decision.promotes:
                move(registry, dataset, champion, number, lease)
        return decision
    raise RegistryError(
        f"The champion of {dataset} changed {ROUNDS} times; version {number} waits."
    )


def _settled(
    challenger: Version, champion: int | None, evidence: Evidence, policy: RegistryParams
) -> Decision | None:
    """The decision, where there is nothing to compare, or the same was compared before."""
    number = challenger.number
    grounds = Grounds(number, champion)
    if champion == number:
        return Decision(grounds, (), "", said=f"Version {number} is the champion already.")
    if reason := challenger.tags.get("rollback.reason"):
        said = (
            f"Version {number} was rolled back ({reason}) and does not go live by itself; "
            f"`autorec promote {challenger.dataset} --version {number}` would."
        )
        return Decision(grounds, (), "", said=said)
    if challenger.tags.get("gate.policy") != _policy(champion, evidence, policy):
        return None
    known = Decision.from_json(challenger.tags["gate"])
    return None if known.promotes else known


def _try(registry: Any, version: Version, evidence: Evidence, root: Path) -> Probed:
    """Smoke test and scores of the challenger; that it fails is noted on it."""
    try:
        return smoke_test(version, evidence.rows[evidence.schema.columns], root)
    except RegistryError as error:
        tags = {"state": REFUSED, "decision": f"{error}"}
        set_tags(registry, version.dataset, version.number, tags)
        raise


def _judge(
    challenger: Version,
    champion: int | None,
    shown: dict[int, Probed],
    bases: dict[int, Basis],
    evidence: Evidence,
    policy: RegistryParams,
    seed: int,
    root: Path,
) -> Decision:
    live: Showing | gate.Unreadable | None = None
    on, latency = gate.ALL, None
    if champion is not None:
        try:
            version = get_version(challenger.dataset, champion, root)
            if champion not in bases:
                shown[champion], bases[champion] = _champions(version, evidence, policy, root)
            if _finite(shown[champion], shown[challenger.number]):
                on = bases[champion]
            live = _showing(version, shown[champion], evidence, on)
            latency = latency_in_turn(shown[champion], shown[challenger.number])
        except (RegistryError, ConfigError, KeyError) as error:
            live, on = gate.Unreadable(champion, str(error)), gate.ALL
    decision = gate.judge(
        live,
        _showing(challenger, shown[challenger.number], evidence, on),
        _judged(evidence, on, policy),
        policy,
        latency=latency,
        data_checks=evidence.data_checks,
        seed=seed,
        basis=on,
    )
    return dataclasses.replace(decision, mode=policy.mode)


def _finite(*probed: Probed) -> bool:
    """Whether all rows have scores; else all count, so that none without is left out."""
    return all(np.isfinite(one.scores).all() for one in probed)


def _champions(
    version: Version, evidence: Evidence, policy: RegistryParams, root: Path
) -> tuple[Probed, Basis]:
    """What a champion scores, and which rows it may be judged on; tried twice.

    A store that was away for a moment is no reason to let a model in that was compared with none.
    """

    def ask() -> tuple[Probed, Basis]:
        probed = smoke_test(version, evidence.rows[evidence.schema.columns], root)
        record = learned_rows(version, root)
        return probed, basis(version.number, record, evidence.rows, fewest=policy.min_test_rows)

    try:
        return ask()
    except RegistryError:
        time.sleep(AGAIN_SECONDS)
        return ask()


def _judged(evidence: Evidence, on: Basis, policy: RegistryParams) -> JudgedRows:
    """The test rows that count."""
    schema, rows, segments = evidence.schema, evidence.rows, evidence.segments
    if on.counted is not None:
        rows = rows[on.counted]
        left = {name: chosen[on.counted] for name, chosen in segments.items()}
        segments = {n: one for n, one in left.items() if one.sum() >= policy.min_segment_rows}
    labels = rows[schema.label].to_numpy(np.float64)
    return JudgedRows(
        schema.task,
        labels,
        segments,
        None if schema.user is None else clusters_of(rows[schema.user]),
        row_losses(schema.task, labels, np.full(len(labels), evidence.constant)),
    )


def _showing(version: Version, probed: Probed, evidence: Evidence, on: Basis) -> Showing:
    """What a version made of the test rows that count."""
    counted = slice(None) if on.counted is None else on.counted
    labels = evidence.rows[evidence.schema.label].to_numpy()[counted]
    scores = probed.scores[counted]
    losses = row_losses(evidence.schema.task, labels, scores)
    return Showing(version.number, scores, losses, int(version.tags["size"]))


def _note(
    registry: Any, dataset: str, decision: Decision, evidence: Evidence, policy: RegistryParams
) -> None:
    """Keeps the decision on the version, before anything moves."""
    number, champion = decision.grounds.challenger, decision.grounds.champion
    describe(registry, dataset, number, decision.markdown())
    state = PROMOTING if decision.promotes else HELD if decision.passed else REFUSED
    tags = {
        "state": state,
        "decision": str(decision),
        "gate": decision.to_json(),
        "gate.policy": _policy(champion, evidence, policy),  # last: with it the note is whole
    }
    set_tags(registry, dataset, number, tags)


def _policy(champion: int | None, evidence: Evidence, policy: RegistryParams) -> str:
    """What a decision rests on besides the version itself: the same again decides the same."""
    met, asked = evidence.data_checks
    return f"{champion} {evidence.data} {met}/{asked} {policy.model_dump_json()}"
