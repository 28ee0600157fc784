"""The promotion gate: a challenger's losses and guards against the champion's, on the same rows.

Arithmetic alone: no model is loaded and no registry asked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autorec_core.evaluation.intervals import LEVEL, mean_intervals
from flows.config import RegistryParams
from flows.registry.decision import TEST_ROWS, Check, Decision, Grounds
from flows.registry.guards import JudgedRows, Latency, Showing, enough_rows, guards
from flows.registry.unseen_rows import Basis

ALL = Basis(None)
NO_NUMBER = "it scores rows with no number"


@dataclass(frozen=True)
class Comparison:
    """Challenger against champion, or against the constant predictor, on the same rows.

    Args:
        champion: The champion's, or the constant predictor's, mean loss.
        challenger: The challenger's mean loss.
        low: The lower end of the difference's interval (challenger minus champion).
        high: Its upper end.
        other: Whose loss `champion` is.
    """

    champion: float
    challenger: float
    low: float
    high: float
    other: str = "the champion's"

    def wins(self, min_improvement: float) -> bool:
        """Whether the whole interval lies more than `min_improvement` below zero."""
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
        number: Its version.
        why: What went wrong.
    """

    number: int
    why: str


def compare(
    champion: np.ndarray, challenger: np.ndarray, seed: int, users: np.ndarray | None = None
) -> Comparison:
    """Compares two models' losses row by row with a paired bootstrap.

    Args:
        champion: The champion's loss of each row, float64, shape (rows,).
        challenger: The challenger's, of the same rows in the same order.
        seed: Seeds the resampling.
        users: The user of each row, whose rows are drawn together; None where rows stand alone.

    Returns:
        Both means, and the interval of their difference.
    """
    found = mean_intervals(challenger - champion, seed, clusters=users)[0]
    return Comparison(float(champion.mean()), float(challenger.mean()), found.low, found.high)


def judge(
    champion: Showing | Unreadable | None,
    challenger: Showing,
    rows: JudgedRows,
    policy: RegistryParams,
    *,
    latency: Latency | None,
    data_checks: tuple[int, int],
    seed: int,
    basis: Basis = ALL,
) -> Decision:
    """Whether a challenger may go live, and every reason for or against.

    Args:
        champion: What the live model showed; None where none is live.
        challenger: What the new one showed, on the same rows.
        rows: Those rows.
        policy: How much must be won and how much may be lost.
        latency: How long both take; None where there is no champion to be measured.
        data_checks: How many of the expectations that must hold the data met, and how many there
            were.
        seed: Seeds the bootstrap.
        basis: Which test rows the two showed it on.
    """
    met, asked = data_checks
    last = Check("data checks", None, met, asked, met == asked > 0, f"{met} of {asked} passed")
    grounds = Grounds(challenger.number, champion.number if champion else None)
    if not np.isfinite(challenger.losses).all():
        return Decision(grounds, (last, Check("loss", None, None, None, False, NO_NUMBER)), "")
    if isinstance(champion, Showing) and not np.isfinite(champion.losses).all():
        champion = Unreadable(champion.number, NO_NUMBER)
    enough = enough_rows(rows, policy)
    if not isinstance(champion, Showing):
        checks, why = _without_champion(champion, challenger, rows, policy, seed)
        return Decision(grounds, (*checks, enough, last), why)
    assert latency is not None
    comparison = compare(champion.losses, challenger.losses, seed, rows.users)
    why = str(comparison)
    if basis.counted is not None:
        why += f", on the {len(challenger.losses):,} test rows that are new to the champion"
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
    challenger: Showing,
    rows: JudgedRows,
    policy: RegistryParams,
    seed: int,
) -> tuple[list[Check], str]:
    """What is asked where no champion has scores: to be better than the constant predictor.

    Returns:
        The checks, and why in words.
    """
    found = compare(rows.constant_losses, challenger.losses, seed, rows.users)
    against = Comparison(found.champion, found.challenger, found.low, found.high, "a constant's")
    checks = [
        Check(
            "loss against a constant",
            None,
            against.challenger,
            against.champion,
            against.wins(0.0),
            f"{LEVEL:.0%} interval of the difference to always predicting the mean training label "
            f"{against.low:+.4f} to {against.high:+.4f}, needed below 0",
        )
    ]
    if champion is None:
        return checks, f"there was no champion; {against}"
    reason = champion.why.rstrip(".")
    why = f"champion version {champion.number} cannot be scored ({reason}); {against}"
    replaced = policy.unreadable_champion == "replace"
    said = f"registry.unreadable_champion is {policy.unreadable_champion}"
    return [Check("readable champion", None, None, None, replaced, said), *checks], why


def _rows(basis: Basis) -> Iterator[Check]:
    """What must be said of the test rows: not something to pass, but to know."""
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
        f"{LEVEL:.0%} interval of the difference {comparison.low:+.4f} to {comparison.high:+.4f}, "
        f"needed below {0.0 - policy.min_improvement:+.4f}",  # not "-0.0000"
    )
