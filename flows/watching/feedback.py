"""Labels that come later: the live loss with its interval, and calibration. Only sums are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.errors import DataError, listed
from autorec_core.evaluation.figures import row_losses
from flows.registry.loading import RowScorer, learned_rows, load_preprocessor
from flows.registry.versions import Version
from flows.watching.histograms import count_in
from flows.watching.journal import Journal
from flows.watching.reference import Reference

Z = 1.959964
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True)
class LiveLoss:
    """The loss of a version on rows whose labels came later.

    Args:
        rows: Number of rows.
        mean: The mean loss.
        low: Lower end of its 95 % interval.
        high: Upper end.
        calibration: For each bin of scores: rows, mean score, mean label.
        labels: Rows in each bin of the label, as in training; then rows without one.
    """

    rows: int
    mean: float
    low: float
    high: float
    calibration: tuple[tuple[int, float, float], ...]
    labels: tuple[int, ...]

    @classmethod
    def of(cls, sums: dict[str, Any]) -> LiveLoss | None:
        """Computes it from the journal's sums; None if no label has come."""
        rows = sums.get("rows", 0)
        if not rows:
            return None
        mean = sums["loss"] / rows
        variance = max(0.0, sums["squared_loss"] / rows - mean**2)
        error = Z * math.sqrt(variance / max(rows - 1, 1))
        bins = zip(sums["bin_rows"], sums["bin_scores"], sums["bin_labels"], strict=True)
        calibration = tuple((n, score / n, label / n) for n, score, label in bins if n)
        return cls(rows, mean, mean - error, mean + error, calibration, tuple(sums["labels"]))


class Judge:
    """Compares labels that come later with the scores of a version.

    Args:
        version: The version.
        scorer: Its scorer.
        reference: Its training profile.
        journal: The files of the watch.
        root: The workspace.
    """

    def __init__(
        self,
        version: Version,
        scorer: RowScorer,
        reference: Reference,
        journal: Journal,
        root: Path = Path(),
    ) -> None:
        self._version, self._scorer = version, scorer
        self._reference, self._journal = reference, journal
        own = getattr(scorer, "preprocessor", None)
        self._preprocessor: Preprocessor = own or load_preprocessor(version, root)
        self._learned: LearnedRows | None = learned_rows(version, root)

    @classmethod
    def of(
        cls, version: Version, scorer: RowScorer, journal: Journal, root: Path = Path()
    ) -> Judge:
        """Makes the judge of a version; see the class.

        Raises:
            RegistryError: Its files cannot be loaded, or are not those registered.
        """
        return cls(version, scorer, Reference.of(version, root), journal, root)

    def take(self, rows: pd.DataFrame) -> tuple[int, int, LiveLoss | None]:
        """Adds rows with their labels.

        Args:
            rows: Raw rows with the model's columns and the label.

        Returns:
            The number of rows that were counted, the number that were left out because the version
            has learned from them or they have no label, and the live loss of all rows so far.

        Raises:
            DataError: A column is missing, or a value has the wrong type.
        """
        schema = self._preprocessor.schema
        needed = [*self._scorer.columns, schema.label]
        if missing := [name for name in needed if name not in rows]:
            raise DataError(f"The rows lack the columns {listed(missing)}.")
        labels = self._preprocessor.encode(rows).label.astype(np.float64)
        counted = np.isfinite(labels) & ~self._known(rows)
        if counted.any():
            table = {name: values.of_series(rows[name][counted]) for name in self._scorer.columns}
            scores = self._scorer.score_table(pa.table(table)).astype(np.float64)
            self._add(schema.task, labels[counted], scores)
        sums = self._journal.feedback(self._version.number)
        return int(counted.sum()), int((~counted).sum()), LiveLoss.of(sums)

    def _known(self, rows: pd.DataFrame) -> np.ndarray:
        """Returns which rows the version has learned from: they say nothing about its loss."""
        if self._learned is None:
            return np.zeros(len(rows), dtype=bool)
        try:
            return self._learned.find_learned(rows)[1]
        except DataError:  # the rows lack a column, so they cannot be recognised
            return np.zeros(len(rows), dtype=bool)

    def _add(self, task: str, labels: np.ndarray, scores: np.ndarray) -> None:
        losses = row_losses(task, labels, scores)
        reference = self._reference
        edges = [] if reference.scores is None else list(reference.scores.edges or ())
        places = np.searchsorted(edges, scores, side="left")
        label = reference.label
        found = {
            "rows": len(labels),
            "loss": float(losses.sum()),
            "squared_loss": float((losses**2).sum()),
            "bin_rows": _sums(places, np.ones(len(labels)), len(edges) + 1),
            "bin_scores": _sums(places, scores, len(edges) + 1),
            "bin_labels": _sums(places, labels, len(edges) + 1),
            "labels": []
            if label is None or label.edges is None
            else [*count_in(label.edges, labels).tolist(), 0],
        }
        self._journal.update_feedback(self._version.number, lambda sums: _add_to(sums, found))


def _sums(places: np.ndarray, numbers: np.ndarray, bins: int) -> list[float]:
    return [float(one) for one in np.bincount(places, numbers, minlength=bins)]


def _add_to(sums: dict[str, Any], found: dict[str, Any]) -> None:
    for name, value in found.items():
        before = sums.get(name)
        if before is None:
            sums[name] = value
        elif isinstance(value, list):
            sums[name] = _added(before, value)
        else:
            sums[name] = before + value


def _added(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(first, second, strict=True)]
