"""The promotion gate: a challenger's losses and guards against the champion's, on the same rows.

Arithmetic alone: no model is loaded and no registry asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from autorec_core.metrics import calibration
from flows.config import RegistryParams
from flows.registry.decision import TEST_ROWS, Check, Decision, Grounds
from flows.registry.unseen_rows import Basis

RESAMPLES = 2000
LEVEL = 0.95
GROUPS = 10_000
"""Rows beyond so many are averaged into groups, which are resampled in their place."""
ALL = Basis(None)


@dataclass(frozen=True)
class Comparison:
    """Challenger against champion on the same rows.

    Args:
        champion: The champion's mean loss.
        challenger: The challenger's mean loss.
        low: The lower end of the difference's interval (challenger minus champion).
        high: Its upper end.
    """

    champion: float
    challenger: float
    low: float
    high: float

    def wins(self, min_improvement: float) -> bool:
        """Whether the whole interval lies more than `min_improvement` below zero."""
        return self.high < -min_improvement

    def __str__(self) -> str:
        return (
            f"loss {self.challenger:.4f} against the champion's {self.champion:.4f}, difference "
            f"{self.challenger - self.champion:+.4f} "
            f"({LEVEL:.0%} interval {self.low:+.4f} to {self.high:+.4f})"
        )


@dataclass(frozen=True)
class Showing:
    """What one registered model showed on the current test rows.

    Args:
        number: Its version.
        losses: The loss of each row, float64, shape (rows,).
        calibration: Its expected calibration error.
        segments: Mean loss by segment of the rows.
        latency: Median milliseconds for one row.
        size: Bytes of its files.
    """

    number: int
    losses: np.ndarray
    calibration: float
    segments: Mapping[str, float]
    latency: float
    size: int

    @property
    def worst_segment(self) -> tuple[str, float]:
        """The segment with the highest mean loss, and that loss."""
        return max(self.segments.items(), key=lambda one: one[1])


@dataclass(frozen=True)
class Unreadable:
    """A champion that cannot be loaded or scored.

    Args:
        number: Its version.
        why: What went wrong.
    """

    number: int
    why: str


def showing(
    number: int,
    labels: np.ndarray,
    scores: np.ndarray,
    losses: np.ndarray,
    segments: Mapping[str, np.ndarray],
    *,
    latency: float,
    size: int,
) -> Showing:
    """Sums up what a model made of the test rows.

    Args:
        number: The model's version.
        labels: The rows' labels, shape (rows,).
        scores: Its scores, shape (rows,).
        losses: Its loss of each row, shape (rows,).
        segments: Which rows belong to each segment, bool, shape (rows,).
        latency: Median milliseconds for one row.
        size: Bytes of its files.
    """
    means = {name: float(losses[rows].mean()) for name, rows in segments.items()}
    return Showing(
        number,
        losses,
        calibration(labels, scores),
        means or {"all rows": float(losses.mean())},
        latency,
        size,
    )


def compare(champion: np.ndarray, challenger: np.ndarray, seed: int) -> Comparison:
    """Compares two models' losses row by row with a paired bootstrap.

    Args:
        champion: The champion's loss of each row, float64, shape (rows,).
        challenger: The challenger's, of the same rows in the same order.
        seed: Seeds the resampling.

    Returns:
        Both means, and the percentile interval of their difference (Efron & Tibshirani, 1993).
    """
    random = np.random.default_rng(seed)
    difference = _grouped(challenger - champion, random)
    units = len(difference)
    means = [difference[random.integers(0, units, units)].mean() for _ in range(RESAMPLES)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Comparison(float(champion.mean()), float(challenger.mean()), float(low), float(high))


def judge(
    champion: Showing | Unreadable | None,
    challenger: Showing,
    policy: RegistryParams,
    *,
    data_checks: tuple[int, int],
    seed: int,
    basis: Basis = ALL,
) -> Decision:
    """Whether a challenger may go live, and every reason for or against.

    Args:
        champion: What the live model showed; None where none is live.
        challenger: What the new one showed, on the same rows.
        policy: How much must be won and how much may be lost.
        data_checks: How many of the expectations that must hold the data met, and how many there
            were.
        seed: Seeds the bootstrap.
        basis: Which test rows the two showed it on.
    """
    met, asked = data_checks
    checks = [Check("data checks", None, met, asked, met == asked > 0, f"{met} of {asked} passed")]
    grounds = Grounds(challenger.number, champion.number if champion else None)
    if not np.isfinite(challenger.losses).all():
        checks.append(Check("loss", None, None, None, False, "it scores rows with no number"))
        return Decision(grounds, tuple(checks), "")
    if isinstance(champion, Showing) and not np.isfinite(champion.losses).all():
        champion = Unreadable(champion.number, "it scores rows with no number")
    if champion is None:
        mean = float(challenger.losses.mean())
        checks.insert(0, Check("loss", None, mean, None, True, "there was no champion"))
        return Decision(grounds, tuple(checks), "there was no champion")
    if isinstance(champion, Unreadable):
        replaced = policy.unreadable_champion == "replace"
        why = f"champion version {champion.number} cannot be scored ({champion.why})"
        mean = float(challenger.losses.mean())
        checks.insert(0, Check("loss", None, mean, None, replaced, why))
        return Decision(grounds, tuple(checks), why)
    comparison = compare(champion.losses, challenger.losses, seed)
    why = str(comparison)
    if basis.counted is not None:
        why += f", on the {len(challenger.losses):,} test rows that are new to the champion"
    return Decision(
        grounds,
        (
            _loss(comparison, policy),
            *_rows(basis),
            *_guards(champion, challenger, policy),
            *checks,
        ),
        why,
    )


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


def _guards(champion: Showing, challenger: Showing, policy: RegistryParams) -> Iterator[Check]:
    """Each guard: it may be worse than the champion's, but by no more than its tolerance."""
    allowed = policy.tolerances
    (_, before), (name, now) = champion.worst_segment, challenger.worst_segment
    yield _guard(
        "calibration error",
        champion.calibration,
        challenger.calibration,
        champion.calibration + allowed.calibration,
    )
    yield _guard("worst segment's loss", before, now, before * (1 + allowed.segment_loss), name)
    yield _guard(
        "latency of one row, ms",
        champion.latency,
        challenger.latency,
        champion.latency * (1 + allowed.latency),
    )
    yield _guard(
        "size, MB",
        champion.size / 1e6,
        challenger.size / 1e6,
        champion.size / 1e6 * (1 + allowed.size),
    )


def _guard(name: str, champion: float, challenger: float, limit: float, detail: str = "") -> Check:
    # So that NaN never passes.
    return Check(name, champion, challenger, limit, challenger <= limit, detail)


def _grouped(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """At most `GROUPS` means of equally many values drawn together by chance.

    The bootstrap's cost stays bounded, and since the groups are random the variance of the mean of
    all stays that of the rows; a remainder of less than one group is left out of the resampling.
    """
    size = len(values) // GROUPS
    if size < 2:
        return values
    shuffled = random.permutation(values)[: size * GROUPS]
    return shuffled.reshape(GROUPS, size).mean(axis=1)
