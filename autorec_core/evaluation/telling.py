"""Finds columns that give the label away: one alone predicts it almost perfectly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autorec_core.data.schema import Examples, Schema
from autorec_core.metrics import auc

LIMIT = 0.99
"""An AUC, or a share of the variance, from which a column's prediction is almost perfect."""
FEWEST = 5
"""With fewer rows of either label, an AUC near 1 may be chance."""
FEWEST_RATINGS = 20
BINS = 128


@dataclass(frozen=True)
class TellingColumn:
    """A column that alone predicts the label almost perfectly.

    Args:
        name: The column.
        power: The AUC, or the share of the ratings' variance that the column explains.
    """

    name: str
    power: float


def find_telling_columns(rows: Examples, schema: Schema) -> list[TellingColumn]:
    """Finds columns that alone predict the label almost perfectly, the strongest first.

    Each half of the rows is predicted from the other half, by the mean label of each category or of
    each of `BINS` bins of numbers. Numbers themselves are also tried as predictions.

    Args:
        rows: Encoded rows, in any order.
        schema: Their schema.
    """
    label = rows.label.astype(np.float64)
    if schema.task == "ranking":
        return []  # a model does not predict the strength of an interaction
    if schema.task == "ctr":
        positive = int((label > 0.5).sum())
        if min(positive, len(label) - positive) < FEWEST:
            return []
    elif len(label) < FEWEST_RATINGS or np.ptp(label) == 0:
        return []
    strengths = {
        name: max(_power(schema.task, label, guess) for guess in guesses)
        for name, guesses in _guesses(rows, schema, label)
    }
    found = [TellingColumn(name, power) for name, power in strengths.items() if power >= LIMIT]
    return sorted(found, key=lambda one: -one.power)


def _guesses(
    rows: Examples, schema: Schema, label: np.ndarray
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yields for each column some predictions of all rows from that column alone."""
    for place, field in enumerate(schema.categorical):
        yield field.name, [_mean_of_same(rows.categorical[:, [place]], label)]
    for one in schema.lists:
        first = schema.first_place(one)
        yield one.name, [_mean_of_same(rows.categorical[:, first : first + one.length], label)]
    for place, name in enumerate(schema.numeric):
        numbers = rows.numeric[:, place].astype(np.float64)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, numbers)[:, None]
        yield name, [_mean_of_same(bins, label), numbers, -numbers]


def _mean_of_same(codes: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Predicts each row by the mean label of the rows with the same code in the other half.

    Args:
        codes: Whole numbers, shape (rows, places); the means of several places are averaged.
        label: float64, shape (rows,).
    """
    # Halves are drawn at random, because the labels may alternate from row to row.
    half = np.random.default_rng(0).integers(0, 2, len(label))
    size = int(codes.max(initial=0)) + 1
    found = np.zeros(len(label))
    for side in (0, 1):
        train, other = half == side, half != side
        mean = label[train].mean() if train.any() else 0.0
        weights = np.repeat(label[train], codes.shape[1])
        sums = np.bincount(codes[train].reshape(-1), weights=weights, minlength=size)
        counts = np.bincount(codes[train].reshape(-1), minlength=size)
        # A tenth of a row with the mean label: the prediction for codes that never occur.
        means = (sums + 0.1 * mean) / (counts + 0.1)
        found[other] = means[codes[other]].mean(axis=1)
    return found


def _power(task: str, label: np.ndarray, guess: np.ndarray) -> float:
    """Computes how well a guess predicts the label: AUC, or explained share of variance."""
    if task == "ctr":
        return auc(label, guess)
    explained = 1 - np.mean(np.square(label - guess)) / np.var(label)
    return float(max(explained, _rank_correlation(label, guess)))


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Computes the squared correlation of ranks, or 0 if it is negative (Spearman, 1904)."""
    first, second = _ranks(first), _ranks(second)
    if min(np.ptp(first), np.ptp(second)) == 0:
        return 0.0
    return float(max(np.corrcoef(first, second)[0, 1], 0.0) ** 2)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Computes the rank of each value; equal values get the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
