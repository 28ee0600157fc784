"""The promotion gate: compares loss and guards of challenger and champion on the same rows.

Only arithmetic: no model is loaded here, and the registry is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autorec_core.evaluation.intervals import LEVEL, mean_intervals, reach_of_unseen
from flows.config import RegistryParams
from flows.registry.decision import TEST_ROWS, Check, Decision, Grounds
from flows.registry.guards import JudgedRows, Latency, ModelScores, enough_rows, guards
from flows.registry.unseen_rows import Basis

ALL = Basis(None)
NO_NUMBER = "some of its scores are not finite numbers"


@dataclass(frozen=True)
class Comparison:
    """A comparison of the challenger with the champion, or with the constant predictor.

    Args:
        champion: Mean loss of the champion or of the constant predictor.
        challenger: Mean loss of the challenger.
        low: Lower end of the interval of the difference (challenger minus champion).
        high: Upper end of the interval.
        other: Name of the model whose loss `champion` is, in the possessive.
    """

    champion: float
    challenger: float
    low: float
    high: float
    other: str = "the champion's"

    def wins(self, min_improvement: float) -> bool:
        """Returns whether the whole interval is more than `min_improvement` below zero."""
        return self.high < -min_improvement

    def __str__(self) -> str:
        return (
            f"loss {self.challenger:.4f} against {self.other} {self.champion:.4f}, difference "
            f"{self.challenger - self.champion:+.4f} "
            f"({LEVEL:.0%} interval {self.low:+.4f} to {self.high:+.4f})"
        )


@dataclass(frozen=True)
class Unreadable:
    """A champion that cannot be loaded or scored.

    Args:
        number: Number of its version.
        why: The error.
    """

    number: int
    why: str


def compare(
    champion: np.ndarray, challenger: np.ndarray, seed: int, users: np.ndarray | None = None
) -> Comparison:
    """Compares two models' losses row by row with a paired bootstrap.

    Args:
        champion: The champion's loss of each row, float64, shape (rows,).
        challenger: The challenger's loss of the same rows in the same order.
        seed: Seed of the resampling.
        users: The user of each row; all rows of a user are drawn together. None to draw single
            rows.

    Returns:
        Both means and the interval of their difference.
    """
    difference = challenger - champion
    found = mean_intervals(difference, seed, clusters=users)[0]
    # Otherwise models are told apart too often if few rows have most of the loss.
    reach = reach_of_unseen(difference, users)
    return Comparison(
        float(champion.mean()), float(challenger.mean()), found.low - reach, found.high + reach
    )


def judge(
    champion: ModelScores | Unreadable | None,
    challenger: ModelScores,
    rows: JudgedRows,
    policy: RegistryParams,
    *,
    latency: Latency | None,
    data_checks: tuple[int, int],
    seed: int,
    basis: Basis = ALL,
) -> Decision:
    """Decides whether a challenger may go live, and gives every reason for and against.

    Args:
        champion: Scores of the live model; None if no model is live.
        challenger: Scores of the new model on the same rows.
        rows: The rows.
        policy: The required improvement and the allowed tolerances.
        latency: Latency of both; None if there is no champion that can be measured.
        data_checks: Number of required expectations that the data passed, and of all of them.
        seed: Seed of the bootstrap.
        basis: Which test rows were used.
    """
    met, asked = data_checks
    last = Check("data checks", None, met, asked, met == asked > 0, f"{met} of {asked} passed")
    grounds = Grounds(challenger.number, champion.number if champion else None)
    if not np.isfinite(challenger.losses).all():
        return Decision(grounds, (last, Check("loss", None, None, None, False, NO_NUMBER)), "")
    if isinstance(champion, ModelScores) and not np.isfinite(champion.losses).all():
        champion = Unreadable(champion.number, NO_NUMBER)
    enough = enough_rows(rows, policy)
    if not isinstance(champion, ModelScores):
        checks, why = _without_champion(champion, challenger, rows, policy, seed)
        return Decision(grounds, (*checks, enough, last), why)
    assert latency is not None
    comparison = compare(champion.losses, challenger.losses, seed, rows.users)
    why = str(comparison)
    if basis.counted is not None:
        why += (
            f", on the {len(challenger.losses):,} test {rows.unit}s that the champion has not "
            "learned from"
        )
    return Decision(
        grounds,
        (
            _loss(comparison, policy),
            *_rows(basis),
            enough,
            *guards(champion, challenger, rows, latency, policy, seed),
            last,
        ),
        why,
    )


def _without_champion(
    champion: Unreadable | None,
    challenger: ModelScores,
    rows: JudgedRows,
    policy: RegistryParams,
    seed: int,
) -> tuple[list[Check], str]:
    """Checks a challenger without a champion's scores: it must beat the constant predictor.

    Returns:
        The checks, and the comparison in words.
    """
    found = compare(rows.constant_losses, challenger.losses, seed, rows.users)
    name, deed = rows.simple
    possessive = f"{name}'" if name.endswith("s") else f"{name}'s"
    against = Comparison(found.champion, found.challenger, found.low, found.high, possessive)
    checks = [
        Check(
            f"loss compared with {name}",
            None,
            against.challenger,
            against.champion,
            against.wins(0.0),
            f"{LEVEL:.0%} interval of the difference from {deed} is {against.low:+.4f} to "
            f"{against.high:+.4f}; must be below 0",
        )
    ]
    if champion is None:
        return checks, f"there was no champion; {against}"
    reason = champion.why.rstrip(".")
    why = f"champion version {champion.number} cannot be scored ({reason}); {against}"
    replaced = policy.unreadable_champion == "replace"
    detail = f"registry.unreadable_champion is {policy.unreadable_champion}"
    return [Check("readable champion", None, None, None, replaced, detail), *checks], why


def _rows(basis: Basis) -> Iterator[Check]:
    """Yields a check that always passes, with information about the test rows that were used."""
    if basis.detail:
        counted = None if basis.counted is None else int(basis.counted.sum())
        yield Check(TEST_ROWS, None, counted, None, True, basis.detail)


def _loss(comparison: Comparison, policy: RegistryParams) -> Check:
    return Check(
        "loss",
        comparison.champion,
        comparison.challenger,
        comparison.champion - policy.min_improvement,
        comparison.wins(policy.min_improvement),
        f"{LEVEL:.0%} interval of the difference {comparison.low:+.4f} to {comparison.high:+.4f}; "
        f"must be below {0.0 - policy.min_improvement:+.4f}",  # "0.0 -" avoids "-0.0000"
    )
