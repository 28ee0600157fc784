"""Columns that tell too much: which of them alone predicts the label almost perfectly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autorec_core.data.schema import Examples, Schema
from autorec_core.metrics import auc

LIMIT = 0.99
"""From here on a column alone is called almost perfect: of the AUC, or the share of variance."""
FEWEST = 5
"""With fewer rows of either label, an AUC near 1 is mere luck."""
FEWEST_RATINGS = 20
BINS = 128


@dataclass(frozen=True)
class TellingColumn:
    """A column that alone predicts the label almost perfectly.

    Args:
        name: The column.
        power: The AUC, or the share of the ratings' variance that it explains.
    """

    name: str
    power: float


def telling_columns(rows: Examples, schema: Schema) -> list[TellingColumn]:
    """Finds columns that alone predict the label almost perfectly, the strongest first.

    Each half of the rows is predicted by what the other half says: the mean label of each category,
    or of each of `BINS` bins of numbers. Numbers are tried as a prediction by themselves, too.

    Args:
        rows: Encoded rows, in any order.
        schema: Their schema.
    """
    label = rows.label.astype(np.float64)
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
    """For each column, predictions of all rows that it alone allows."""
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
    """For each row, the mean label of the other half's rows of the same code.

    Args:
        codes: Whole numbers, shape (rows, places); the means of several places are averaged.
        label: float64, shape (rows,).
    """
    # A fixed coin for each row: the rows may stand in any order, alternating ones too.
    half = np.random.default_rng(0).integers(0, 2, len(label))
    size = int(codes.max(initial=0)) + 1
    found = np.zeros(len(label))
    for side in (0, 1):
        teaches, asked = half == side, half != side
        mean = label[teaches].mean() if teaches.any() else 0.0
        taught = np.repeat(label[teaches], codes.shape[1])
        sums = np.bincount(codes[teaches].reshape(-1), weights=taught, minlength=size)
        counts = np.bincount(codes[teaches].reshape(-1), minlength=size)
        # A tenth of a row of the mean: codes that never came get it, the others next to nothing.
        means = (sums + 0.1 * mean) / (counts + 0.1)
        found[asked] = means[codes[asked]].mean(axis=1)
    return found


def _power(task: str, label: np.ndarray, guess: np.ndarray) -> float:
    """How well a guess predicts the label: AUC, or share of variance in values or in ranks."""
    if task == "ctr":
        return auc(label, guess)
    explained = 1 - np.mean(np.square(label - guess)) / np.var(label)
    return float(max(explained, _rank_correlation(label, guess)))


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """The squared correlation of ranks where it is positive, else 0 (Spearman, 1904)."""
    ours, theirs = _ranks(first), _ranks(second)
    if min(np.ptp(ours), np.ptp(theirs)) == 0:
        return 0.0
    return float(max(np.corrcoef(ours, theirs)[0, 1], 0.0) ** 2)


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
