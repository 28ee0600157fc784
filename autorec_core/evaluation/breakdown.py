"""Where a model errs: its test loss by what is known of a row, its residuals, its calibration."""

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
"""Residuals that spread so many times as far as their middle 99 % have outliers."""
CALIBRATION_BINS = 20
MANY_LABELS = 12


@dataclass(frozen=True)
class ActivityRow:
    """The loss of those test rows whose user, or item, was met about as often in training.

    Args:
        by: The column that is counted; "unknown values" where a data set names neither user nor
            item, and the unknown ids of a row are counted.
        least: The fewest training rows (or unknown values); 0 stands for unknown ids alone.
        most: The most of them; None for no bound.
        rows: Test rows.
        ids: Different ids among them, 0 where they are unknown.
        loss: The model's mean loss.
        low: The lower end of its interval.
        high: Its upper end.
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
    """Splits the test loss by how often a row's user and item were met, unknown ids apart.

    Args:
        losses: For "model" and each baseline, the loss of each test row, shape (rows,).
        known: The encoded rows the model was trained on.
        test: The encoded test rows.
        schema: The schema of both.
        seed: Seeds the intervals.
        users: The user of each test row, whose rows are drawn together; None where rows stand
            alone.
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
        # Without the places of lists: id 0 also stands where a list has ended.
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
    """One row for each step of the counts that has test rows."""
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
    """How many test rows of one label have a residual (label minus score) in one bin.

    Args:
        label: The label; None where labels are too many to be told apart.
        low: The bin's lower end.
        high: Its upper end.
        rows: Test rows; where outliers would leave all others in one bin, the outermost bins hold
            what lies beyond them too.
    """

    label: float | None
    low: float
    high: float
    rows: int


def residuals(labels: np.ndarray, scores: np.ndarray) -> list[ResidualRow]:
    """The histogram of label minus score, for each label where there are few; both (rows,)."""
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
    """The residuals, outliers brought to the outermost bins, and the bins' ends."""
    low, high = np.quantile(residual, CENTRAL)
    if high > low and np.ptp(residual) > MOST_SPREAD * (high - low):
        residual = np.clip(residual, low, high)
    low, high = residual.min(), residual.max()
    # Numbers that differ by next to nothing for their size allow no bins between them.
    slack = max(abs(low), abs(high), 1.0) * 1e-6
    if high - low < slack:
        low, high = low - slack, high + slack
    return residual, np.linspace(low, high, RESIDUAL_BINS + 1)


@dataclass(frozen=True)
class CalibrationRow:
    """Mean prediction beside mean outcome of test rows with predictions of one size.

    Args:
        predicted: The mean score.
        observed: The mean label.
        low: The lower end of the mean label's interval.
        high: Its upper end.
        rows: Test rows.
    """

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def _of(users: np.ndarray | None, chosen: np.ndarray) -> np.ndarray | None:
    """The users of some rows, numbered from 0 without gaps."""
    return None if users is None else np.unique(users[chosen], return_inverse=True)[1]


def calibration(
    labels: np.ndarray, scores: np.ndarray, seed: int, users: np.ndarray | None = None
) -> list[CalibrationRow]:
    """Predictions beside outcomes in bins of about equally many rows, by rising prediction."""
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
