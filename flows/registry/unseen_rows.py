"""The test rows that two models are compared on: those the champion has not learned from.

A random split is another one as soon as rows come in or its seed changes, and most of the new test
rows are then rows that the champion was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.errors import DataError


@dataclass(frozen=True, eq=False)
class Basis:
    """Which test rows count in a comparison, and why.

    Args:
        counted: bool, shape (rows,); None where all do.
        detail: What must be said of it, in a sentence; "" where nothing must.
    """

    counted: np.ndarray | None
    detail: str = ""


def basis(champion: int, record: LearnedRows | None, rows: pd.DataFrame, *, fewest: int) -> Basis:
    """Leaves out the test rows that a champion learned from, if enough others are left.

    Args:
        champion: Its version.
        record: The rows it learned from; None where it keeps no record.
        rows: The current raw test rows with their labels.
        fewest: How many rows must be left.
    """
    every = f"all {len(rows):,} count"
    if record is None:
        return Basis(
            None,
            f"{every}: version {champion} keeps no record of the rows it learned from, so some of "
            "these may be among them",
        )
    try:
        sampled, learned = record.look(rows)
    except DataError:
        return Basis(
            None,
            f"{every}: version {champion} learned from rows of other columns, so it cannot be told "
            "whether some of these are among them",
        )
    counted = sampled & ~learned
    told, known, left = (int(mask.sum()) for mask in (sampled, learned, counted))
    if not known and (told == len(rows) or left >= fewest):
        return Basis(None)
    of = "" if told == len(rows) else f"the {told:,} that its record can tell of among "
    if left < fewest:
        return Basis(
            None,
            f"{every}, although version {champion} learned from {known:,} of {of}them: only "
            f"{left:,} would be left, fewer than {fewest}",
        )
    return Basis(
        counted,
        f"{left:,} of {len(rows):,} count: version {champion} learned from {known:,} of {of}them",
    )
