"""The guards of the gate: figures of a challenger that may be only a little worse.

A guard fails only if the rows show that the challenger is worse than the tolerance allows: it uses
the lower end of an interval of the paired difference, not the difference itself. Otherwise, with
few rows, chance alone would reject better models.

Only arithmetic: no model is loaded here, and the registry is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from autorec_core.evaluation.intervals import (
    LEVEL,
    Interval,
    effective_units,
    interval_ends,
    mean_intervals,
    resampled_sums,
    tail_share,
)
from autorec_core.metrics import calibration, calibration_bins
from flows.config import RegistryParams
from flows.registry.decision import Check

FEWEST_OF_A_LABEL = 10
"""Minimum number of rows of each label of clicks. With hardly any clicks among the rows, a model
would win by predicting lower values everywhere."""
SAME_MILLISECONDS = 1.0
"""Latencies that differ by at most this count as equal."""


@dataclass(frozen=True)
class JudgedRows:
    """The test rows that models are compared on; for ranking, a row is a user with their list.

    Args:
        task: "rating", "ctr" or "ranking".
        labels: The labels, float64, shape (rows,); for ranking all 1.
        segments: Which rows belong to each segment, bool, shape (rows,).
        users: The user of each row as a number, shape (rows,); None without a user column.
        constant_losses: The loss of each row if the mean training label is predicted, or for
            ranking, if popular items come first, shape (rows,).
    """

    task: str
    labels: np.ndarray
    segments: Mapping[str, np.ndarray]
    users: np.ndarray | None
    constant_losses: np.ndarray

    @property
    def unit(self) -> str:
        """What a row is: "row" or "user"."""
        return "user" if self.task == "ranking" else "row"

    @property
    def simple(self) -> tuple[str, str]:
        """The simple model that every model must beat: its name, and what it does."""
        if self.task == "ranking":
            return "popular items", "recommending popular items"
        return "a constant", "always predicting the mean training label"


@dataclass(frozen=True)
class ModelScores:
    """Scores and losses of one registered model on the judged rows.

    Args:
        number: Number of its version.
        scores: Score of each row, float64, shape (rows,).
        losses: Loss of each row, float64, shape (rows,).
        size: Size of its files in bytes.
    """

    number: int
    scores: np.ndarray
    losses: np.ndarray
    size: int


@dataclass(frozen=True)
class Latency:
    """Time of both models to score one row, measured alternately.

    Args:
        champion: The champion's median in milliseconds.
        ratio: Median over pairs of the challenger's time divided by the champion's; NaN if it could
            not be measured.
        pairs: Number of measured pairs.
        problem: Why it could not be measured, or "".
    """

    champion: float
    ratio: float
    pairs: int
    problem: str = ""


def enough_rows(rows: JudgedRows, policy: RegistryParams) -> Check:
    """Checks that there are enough rows to compare two models."""
    count = len(rows.labels)
    if rows.task == "ranking":
        needed = policy.min_test_users
        found = [f"{count:,} users with a list (needed: {needed:,})"]
        return Check("enough test users", None, count, needed, count >= needed, found[0])
    found = [f"{count:,} rows (needed: {policy.min_test_rows:,})"]
    enough = count >= policy.min_test_rows
    if rows.users is not None:
        users = len(np.unique(rows.users))
        found.append(f"{users:,} users (needed: {policy.min_test_users:,})")
        enough &= users >= policy.min_test_users
    if rows.task == "ctr":
        positive = int(np.sum(rows.labels > 0.5))
        rarer = min(positive, count - positive)
        found.append(f"{rarer:,} rows of the rarer label (needed: {FEWEST_OF_A_LABEL})")
        enough &= rarer >= FEWEST_OF_A_LABEL
    return Check("enough test rows", None, count, policy.min_test_rows, enough, ", ".join(found))


def guards(
    champion: ModelScores,
    challenger: ModelScores,
    rows: JudgedRows,
    latency: Latency,
    policy: RegistryParams,
    seed: int,
) -> Iterator[Check]:
    """Yields the check of each guard: challenger compared with champion on the same rows."""
    allowed = policy.tolerances
    if rows.task != "ranking":  # a preference is no probability
        yield _calibration(champion, challenger, rows, allowed.calibration, seed)
    if any(chosen.any() for chosen in rows.segments.values()):
        yield _segments(champion, challenger, rows, allowed.segment_loss, seed)
    yield _latency(latency, allowed.latency)
    before, now = champion.size / 1e6, challenger.size / 1e6
    yield _check("size, MB", before, now, before * (1 + allowed.size), "")


def _calibration(
    champion: ModelScores, challenger: ModelScores, rows: JudgedRows, tolerance: float, seed: int
) -> Check:
    """Checks the calibration error. The tolerance is proportional to the spread of the labels.

    The spread is the mean absolute deviation: about 1 for stars, and 2 p (1 - p) for a click rate
    of p. The tolerance is therefore small if clicks are rare.
    """
    labels = rows.labels
    margin = tolerance * float(np.mean(np.abs(labels - labels.mean())))
    before, now = calibration(labels, champion.scores), calibration(labels, challenger.scores)
    difference = _calibration_difference(champion, challenger, rows, seed)
    # The difference above the lower end of its interval may be chance, so it is allowed.
    limit = before + margin + max(difference.mean - difference.low, 0.0)
    return _check(
        "calibration error",
        before,
        now,
        limit,
        f"{LEVEL:.0%} interval of the difference {_ends(difference)}, allowed {margin:+.4g}",
    )


def _calibration_difference(
    champion: ModelScores, challenger: ModelScores, rows: JudgedRows, seed: int
) -> Interval:
    """Returns the challenger's calibration error minus the champion's, with its interval.

    The error is a sum of absolute values, which is larger in resampled rows than in the original
    rows. The mean excess is therefore subtracted.
    """
    gaps = [_gaps(one.scores, rows.labels) for one in (champion, challenger)]
    table = np.hstack([*gaps, np.ones((len(rows.labels), 1))])
    width = gaps[0].shape[1]

    def errors(sums: np.ndarray) -> np.ndarray:
        of_champion = np.abs(sums[..., :width]).sum(axis=-1)
        of_challenger = np.abs(sums[..., width:-1]).sum(axis=-1)
        return (of_challenger - of_champion) / sums[..., -1]

    observed = float(errors(table.sum(axis=0)))
    drawn = errors(resampled_sums(table, seed, rows.users))
    tail = tail_share(LEVEL, effective_units(np.ones(len(rows.labels)), rows.users))
    low, high = interval_ends(drawn - (float(drawn.mean()) - observed), tail)
    return Interval(observed, low, high)


def _gaps(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns score minus label in the column of the row's calibration bin, and 0 elsewhere."""
    bin_of_row = calibration_bins(scores)
    gaps = np.zeros((len(labels), int(bin_of_row.max()) + 1))
    gaps[np.arange(len(labels)), bin_of_row] = scores - labels
    return gaps


def _segments(
    champion: ModelScores, challenger: ModelScores, rows: JudgedRows, tolerance: float, seed: int
) -> Check:
    """Checks the loss within each segment. Reports the segment that is closest to its limit.

    With more segments, it is more likely that one looks worse by chance. The intervals are
    therefore wider, so that the level holds for all segments together (Bonferroni).
    """
    names = [name for name, chosen in rows.segments.items() if chosen.any()]
    masks = np.stack([rows.segments[name] for name in names], axis=1)
    level = 1 - (1 - LEVEL) / len(names)
    over = challenger.losses - (1 + tolerance) * champion.losses
    found = mean_intervals(
        np.repeat(over[:, None], len(names), axis=1),
        seed,
        clusters=rows.users,
        counted=masks,
        level=level,
    )
    worst = int(np.argmax([one.low for one in found]))
    chosen, interval = masks[:, worst], found[worst]
    before, now = float(champion.losses[chosen].mean()), float(challenger.losses[chosen].mean())
    limit = before * (1 + tolerance) + max(interval.mean - interval.low, 0.0)
    failed = [name for name, one in zip(names, found, strict=True) if one.low > 0]
    detail = f"{names[worst]}, the closest to its limit ({len(names)} compared)"
    if failed:
        detail = f"worse in {', '.join(failed)}; the figures are for {names[worst]}"
    return _check("loss within a segment", before, now, limit, detail)


def _latency(latency: Latency, tolerance: float) -> Check:
    name = "latency of one row, ms"
    if latency.problem:
        return Check(name, None, None, None, False, latency.problem)
    before = latency.champion
    limit = max(before * (1 + tolerance), before + SAME_MILLISECONDS)
    detail = f"measured alternately, median ratio of {latency.pairs} pairs {latency.ratio:.2f}"
    return _check(name, before, before * latency.ratio, limit, detail)


def _check(name: str, champion: float, challenger: float, limit: float, detail: str) -> Check:
    # Not `not (challenger > limit)`: NaN must fail.
    return Check(name, champion, challenger, limit, challenger <= limit, detail)


def _ends(interval: Interval) -> str:
    return f"{interval.low:+.4g} to {interval.high:+.4g}"
