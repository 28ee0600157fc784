"""Runs the gate: challenger and champion score the same rows, and the better one goes live.

The models score without a lock. Then, under the lock that all machines share, the champion is
looked up again. If it is still the same, the decision is recorded and the alias moves. If not, the
comparison is repeated with the new champion.
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

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.schema import Schema
from autorec_core.errors import ConfigError
from autorec_core.evaluation.figures import row_losses
from autorec_core.evaluation.intervals import clusters_of
from flows.config import RegistryParams
from flows.registry import gate
from flows.registry.aliases import HELD, PROMOTING, REFUSED, clean_up, move
from flows.registry.decision import Decision, Grounds
from flows.registry.guards import JudgedRows, ModelScores
from flows.registry.judged_lists import JudgedLists
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
"""Wait before a champion that could not be scored is tried again."""


@dataclass(frozen=True)
class Evidence:
    """The data that the gate's decision is based on.

    Args:
        schema: The schema of the rows.
        rows: The current raw test rows with their labels.
        segments: Which rows belong to each segment, bool, shape (rows,).
        data_checks: Number of required expectations that the data passed, and of all of them.
        data: Hash of the data from which the rows come.
        constant: The mean training label. Without a champion, a model must be better than always
            predicting it.
        lists: For ranking, the rows of users' lists, which models score instead of `rows`.
        preprocessor: For ranking, divides the users of the lists into segments.
    """

    schema: Schema
    rows: pd.DataFrame
    segments: Mapping[str, np.ndarray]
    data_checks: tuple[int, int]
    data: str
    constant: float
    lists: JudgedLists | None = None
    preprocessor: Preprocessor | None = None

    @property
    def scored(self) -> pd.DataFrame:
        """The raw rows that models score, with the columns that they read."""
        rows = self.rows if self.lists is None else self.lists.rows
        return rows[self.schema.columns]


def apply_gate(
    dataset: str,
    number: int,
    evidence: Evidence,
    policy: RegistryParams,
    *,
    seed: int,
    root: Path = Path(),
) -> Decision:
    """Compares a version with the champion on the same raw rows, and promotes it if it is better.

    Args:
        dataset: The data set.
        number: The challenger.
        evidence: The rows and the results of the data checks.
        policy: When a challenger wins, and whether it then goes live.
        seed: Seed of the bootstrap.
        root: The workspace.

    Returns:
        The decision. It is also written to the version's tags.

    Raises:
        RegistryError: The challenger fails its smoke test, or the champion changed too often.
    """
    shown: dict[int, Probed] = {}
    try:
        return _decide(dataset, number, evidence, policy, shown, seed, root)
    finally:
        for probed in shown.values():
            probed.close()


def _decide(
    dataset: str,
    number: int,
    evidence: Evidence,
    policy: RegistryParams,
    shown: dict[int, Probed],
    seed: int,
    root: Path,
) -> Decision:
    """Makes the decision of `apply_gate`. Adds the loaded versions to `shown`."""
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
                continue  # another run was faster: compare with its champion
            clean_up(registry, dataset, number, champion, root)
            _note(registry, dataset, decision, evidence, policy)
            if decision.promotes:
                move(registry, dataset, champion, number, lease)
        return decision
    raise RegistryError(
        f"The champion of {dataset} changed {ROUNDS} times, so version {number} was not compared."
    )


def _settled(
    challenger: Version, champion: int | None, evidence: Evidence, policy: RegistryParams
) -> Decision | None:
    """Returns the decision if no comparison is needed, or if it was made before; else None."""
    number = challenger.number
    grounds = Grounds(number, champion)
    if champion == number:
        return Decision(grounds, (), "", said=f"Version {number} is already the champion.")
    if reason := challenger.tags.get("rollback.reason"):
        sentence = (
            f"Version {number} was rolled back ({reason}), so it does not go live automatically. "
            f"To make it live: `autorec promote {challenger.dataset} --version {number}`."
        )
        return Decision(grounds, (), "", said=sentence)
    if challenger.tags.get("gate.policy") != _policy(champion, evidence, policy):
        return None
    known = Decision.from_json(challenger.tags["gate"])
    return None if known.promotes else known


def _try(registry: Any, version: Version, evidence: Evidence, root: Path) -> Probed:
    """Runs smoke test and scoring of the challenger. A failure is written to its tags."""
    try:
        return smoke_test(version, evidence.scored, root)
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
    live: ModelScores | gate.Unreadable | None = None
    on, latency = gate.ALL, None
    if champion is not None:
        try:
            version = get_version(challenger.dataset, champion, root)
            if champion not in bases:
                shown[champion], bases[champion] = _try_champion(version, evidence, policy, root)
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
    """Returns whether all scores are finite. If not, all rows are used, to find the bad ones."""
    return all(np.isfinite(version.scores).all() for version in probed)


def _try_champion(
    version: Version, evidence: Evidence, policy: RegistryParams, root: Path
) -> tuple[Probed, Basis]:
    """Scores the champion and chooses the rows to compare on. Tried twice.

    Otherwise a short failure of the store would let a model go live without a comparison.
    """

    def attempt() -> tuple[Probed, Basis]:
        probed = smoke_test(version, evidence.scored, root)
        record = learned_rows(version, root)
        return probed, basis(version.number, record, evidence.rows, fewest=policy.min_test_rows)

    try:
        return attempt()
    except RegistryError:
        time.sleep(AGAIN_SECONDS)
        return attempt()


def _judged(evidence: Evidence, on: Basis, policy: RegistryParams) -> JudgedRows:
    """Returns the test rows that are used, or for ranking the users."""
    if (lists := evidence.lists) is not None:
        assert evidence.preprocessor is not None
        found = lists.losses(lists.popularity, on.counted)
        return JudgedRows(
            evidence.schema.task,
            np.ones(len(found)),
            lists.segments(evidence.preprocessor, on.counted, policy.min_segment_rows),
            np.arange(len(found)),
            found,
        )
    schema, rows, segments = evidence.schema, evidence.rows, evidence.segments
    if on.counted is not None:
        rows = rows[on.counted]
        left = {name: chosen[on.counted] for name, chosen in segments.items()}
        segments = {
            name: mask for name, mask in left.items() if mask.sum() >= policy.min_segment_rows
        }
    labels = rows[schema.label].to_numpy(np.float64)
    return JudgedRows(
        schema.task,
        labels,
        segments,
        None if schema.user is None else clusters_of(rows[schema.user]),
        row_losses(schema.task, labels, np.full(len(labels), evidence.constant)),
    )


def _showing(version: Version, probed: Probed, evidence: Evidence, on: Basis) -> ModelScores:
    """Returns the scores and losses of a version on the test rows that are used."""
    size = int(version.tags["size"])
    if evidence.lists is not None:
        losses = evidence.lists.losses(probed.scores, on.counted)
        return ModelScores(version.number, -losses, losses, size)
    counted = slice(None) if on.counted is None else on.counted
    labels = evidence.rows[evidence.schema.label].to_numpy()[counted]
    scores = probed.scores[counted]
    losses = row_losses(evidence.schema.task, labels, scores)
    return ModelScores(version.number, scores, losses, size)


def _note(
    registry: Any, dataset: str, decision: Decision, evidence: Evidence, policy: RegistryParams
) -> None:
    """Writes the decision to the version's tags, before the alias moves."""
    number, champion = decision.grounds.challenger, decision.grounds.champion
    describe(registry, dataset, number, decision.markdown())
    state = PROMOTING if decision.promotes else HELD if decision.passed else REFUSED
    tags = {
        "state": state,
        "decision": str(decision),
        "gate": decision.to_json(),
        "gate.policy": _policy(champion, evidence, policy),  # last: marks the tags as complete
    }
    set_tags(registry, dataset, number, tags)


def _policy(champion: int | None, evidence: Evidence, policy: RegistryParams) -> str:
    """Returns a text of all inputs of a decision except the version. Equal text, equal decision."""
    met, asked = evidence.data_checks
    return f"{champion} {evidence.data} {met}/{asked} {policy.model_dump_json()}"
