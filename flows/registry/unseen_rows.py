"""Chooses the test rows for a comparison: those that the champion has not learned from.

A random split changes when rows are added or its seed changes. Most of the new test rows are then
rows that the champion was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.errors import DataError


@dataclass(frozen=True, eq=False)
class Basis:
    """The test rows that are used in a comparison, and why.

    Args:
        counted: Which rows are used, bool, shape (rows,); None for all.
        detail: An explanation for readers, or "".
    """

    counted: np.ndarray | None
    detail: str = ""


def basis(champion: int, record: LearnedRows | None, rows: pd.DataFrame, *, fewest: int) -> Basis:
    """Leaves out the test rows that a champion learned from, if enough others are left.

    Args:
        champion: Number of its version.
        record: The rows it learned from; None if it has no record.
        rows: The current raw test rows with their labels.
        fewest: Minimum number of rows that must be left.
    """
    every = f"all {len(rows):,} are used"
    if record is None:
        return Basis(
            None,
            f"{every}: version {champion} has no record of the rows it learned from, so it may "
            "have learned from some of these",
        )
    try:
        sampled, learned = record.find_learned(rows)
    except DataError:
        return Basis(
            None,
            f"{every}: version {champion} learned from rows with other columns, so it is unknown "
            "whether it learned from some of these",
        )
    counted = sampled & ~learned
    covered, known, left = (int(mask.sum()) for mask in (sampled, learned, counted))
    if not known and (covered == len(rows) or left >= fewest):
        return Basis(None)
    of = "" if covered == len(rows) else f"the {covered:,} that its record covers among "
    if left < fewest:
        return Basis(
            None,
            f"{every}, although version {champion} learned from {known:,} of {of}them: only "
            f"{left:,} would be left, fewer than {fewest}",
        )
    return Basis(
        counted,
        f"{left:,} of {len(rows):,} are used: version {champion} learned from {known:,} of "
        f"{of}them",
    )
