"""How many of the ids met at scoring the training split did not have, and whether that is usual."""

from __future__ import annotations

import math
from collections.abc import Mapping

ERRORS = 2.0
"""Standard errors by which a share may pass the usual one by chance."""


class UnknownIds:
    """Counts unknown ids while rows are scored; a missing value without an id of its own is one.

    Args:
        usual: The share of unknown ids in each column of the test split; 0 where it is not known,
            as in the rows that a vocabulary was made from.
    """

    def __init__(self, usual: Mapping[str, float]) -> None:
        self._usual = usual
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, column: str, unknown: int, total: int) -> None:
        """Takes in some cells of a column: how many ids are unknown, and how many there are."""
        before, all_before = self._counts.get(column, (0, 0))
        self._counts[column] = (before + unknown, all_before + total)

    @property
    def shares(self) -> dict[str, float]:
        """The share of unknown ids in each column that has any id."""
        return {name: unknown / total for name, (unknown, total) in self._counts.items() if total}

    @property
    def unusual(self) -> dict[str, float]:
        """The shares that are larger than in the test split, by more than chance explains."""
        return {name: share for name, share in self.shares.items() if share > self._most(name)}

    @property
    def wholly_unknown(self) -> list[str]:
        """The columns of which not one id is known, where that is unusual."""
        return [name for name, share in self.unusual.items() if share == 1]

    def warning(self) -> str | None:
        """A sentence on the columns with unusually many unknown ids; None where there is none."""
        if not self.unusual:
            return None
        each = [
            f"{name} {100 * share:.3g} % (in the test split {100 * self._usual.get(name, 0):.3g} %)"
            for name, share in self.unusual.items()
        ]
        return (
            f"More ids than usual are unknown to the model, so their scores say little: "
            f"{', '.join(each)}."
        )

    def _most(self, name: str) -> float:
        usual, total = self._usual.get(name, 0.0), self._counts[name][1]
        return usual + ERRORS * math.sqrt(usual * (1 - usual) / total)
