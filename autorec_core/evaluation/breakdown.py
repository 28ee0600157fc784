"""Breakdowns of a model's errors: test loss by user and item activity, residuals, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from autorec_core.data.encoding.vocabulary import UNKNOWN
from autorec_core.data.schema import Examples, Schema
from autorec_core.evaluation.intervals import mean_intervals
from autorec_core.metrics import calibration_bins, calibration_curve

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000)
RESIDUAL_BINS = 40
CENTRAL = (0.005, 0.995)
MOST_SPREAD = 4.0
"""If all residuals spread this many times as far as the middle 99 %, there are outliers."""
CALIBRATION_BINS = 20
MANY_LABELS = 12


@dataclass(frozen=True)
class ActivityRow:
    """The loss of the test rows whose user (or item) has about the same number of training rows.

    Args:
        by: The user or item column; "unknown values" if the data set has neither, and rows are
            grouped by their number of unknown ids.
        least: The smallest number of training rows (or unknown values); 0 means unknown ids only.
        most: The largest number; None for no bound.
        rows: Number of test rows.
        ids: Number of different known ids in these rows.
        loss: The model's mean loss.
        low: The lower end of the loss's interval.
        high: The upper end of the loss's interval.
        baselines: Each baseline's mean loss on the same rows.
    """

    by: str
    least: int
    most: int | None
    rows: int
    ids: int
    loss: float
    low: float
    high: float
    baselines: Mapping[str, float]


def activity(
    losses: Mapping[str, np.ndarray],
    known: Examples,
    test: Examples,
    schema: Schema,
    seed: int,
    users: np.ndarray | None = None,
) -> list[ActivityRow]:
    """Splits the test loss by the number of training rows of a row's user and item.

    Args:
        losses: For "model" and each baseline, the loss of each test row, shape (rows,).
        known: The encoded rows that the model was trained on.
        test: The encoded test rows.
        schema: The schema of both.
        seed: The seed of the intervals.
        users: The user of each test row, so that a user's rows are drawn together; None if rows are
            independent.
    """
    found: list[ActivityRow] = []
    for column in (schema.user, schema.item):
        if column is None:
            continue
        place = schema.position(column)
        met = np.bincount(known.categorical[:, place], minlength=test.categorical.max() + 1)
        met[UNKNOWN] = 0
        ids = test.categorical[:, place]
        found += _by_count(column, met[ids], ids, losses, seed, users)
    if not found and schema.categorical:
        # Lists are left out, because their unused places have id 0 too.
        unknown = (test.categorical[:, : len(schema.categorical)] == UNKNOWN).sum(axis=1)
        found += _by_count("unknown values", unknown, None, losses, seed, users)
    return found


def _by_count(
    by: str,
    counts: np.ndarray,
    ids: np.ndarray | None,
    losses: Mapping[str, np.ndarray],
    seed: int,
    users: np.ndarray | None,
) -> Iterator[ActivityRow]:
    """Yields one row for each range of counts that has test rows."""
    bounds = [0, *STEPS]
    for least, after in zip(bounds, [*bounds[1:], None], strict=True):
        chosen = (counts >= least) & (True if after is None else counts < after)
        if not chosen.any():
            continue
        model = mean_intervals(losses["model"][chosen], seed, clusters=_of(users, chosen))[0]
        yield ActivityRow(
            by=by,
            least=least,
            most=None if after is None else after - 1,
            rows=int(chosen.sum()),
            ids=0 if ids is None else int(np.sum(np.unique(ids[chosen]) != UNKNOWN)),
            loss=model.mean,
            low=model.low,
            high=model.high,
            baselines={
                name: float(values[chosen].mean())
                for name, values in losses.items()
                if name != "model"
            },
        )


@dataclass(frozen=True)
class ResidualRow:
    """The number of test rows of one label whose residual (label minus score) lies in one bin.

    Args:
        label: The label; None if there are too many labels for a histogram of each.
        low: The bin's lower end.
        high: The bin's upper end.
        rows: Number of test rows. If there are outliers, the first and the last bin hold them too.
    """

    label: float | None
    low: float
    high: float
    rows: int


def residuals(labels: np.ndarray, scores: np.ndarray) -> list[ResidualRow]:
    """Computes the histogram of label minus score, for each label if there are few.

    Args:
        labels: Shape (rows,).
        scores: Shape (rows,).
    """
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    residual, edges = _binned(labels - scores)
    values = np.unique(labels)
    groups: list[tuple[float | None, np.ndarray]] = (
        [(float(value), residual[labels == value]) for value in values]
        if len(values) <= MANY_LABELS
        else [(None, residual)]
    )
    return [
        ResidualRow(label, float(low), float(high), int(count))
        for label, chosen in groups
        for low, high, count in zip(
            edges[:-1], edges[1:], np.histogram(chosen, edges)[0], strict=True
        )
        if count
    ]


def _binned(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the residuals, with outliers clipped, and the edges of the bins."""
    low, high = np.quantile(residual, CENTRAL)
    if high > low and np.ptp(residual) > MOST_SPREAD * (high - low):
        residual = np.clip(residual, low, high)
    low, high = residual.min(), residual.max()
    # Numbers that are nearly equal, compared with their size, leave no room for bins.
    slack = max(abs(low), abs(high), 1.0) * 1e-6
    if high - low < slack:
        low, high = low - slack, high + slack
    return residual, np.linspace(low, high, RESIDUAL_BINS + 1)


@dataclass(frozen=True)
class CalibrationRow:
    """The mean prediction and the mean label of test rows with similar predictions.

    Args:
        predicted: The mean score.
        observed: The mean label.
        low: The lower end of the mean label's interval.
        high: The upper end of the mean label's interval.
        rows: Number of test rows.
    """

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def _of(users: np.ndarray | None, chosen: np.ndarray) -> np.ndarray | None:
    """Returns the users of the chosen rows, numbered from 0 without gaps."""
    return None if users is None else np.unique(users[chosen], return_inverse=True)[1]


def calibration(
    labels: np.ndarray, scores: np.ndarray, seed: int, users: np.ndarray | None = None
) -> list[CalibrationRow]:
    """Compares predictions with labels in bins of about equally many rows, by prediction.

    Args:
        labels: Shape (rows,).
        scores: Shape (rows,).
        seed: The seed of the intervals.
        users: The user of each row, so that a user's rows are drawn together; None if rows are
            independent.
    """
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    bin_of_row = calibration_bins(scores, CALIBRATION_BINS)
    curve = zip(*calibration_curve(labels, scores, CALIBRATION_BINS), strict=True)
    found = []
    for number, (predicted, observed, rows) in enumerate(curve):
        chosen = bin_of_row == number
        interval = mean_intervals(labels[chosen], seed, clusters=_of(users, chosen))[0]
        found.append(
            CalibrationRow(
                float(predicted), float(observed), interval.low, interval.high, int(rows)
            )
        )
    return found
