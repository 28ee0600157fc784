"""Counts the unknown ids in scored rows, and finds columns with unusually many."""

from __future__ import annotations

import math
from collections.abc import Mapping

ERRORS = 2.0
"""The number of standard errors by which a share may exceed the usual one by chance."""


class UnknownIds:
    """Counts unknown ids in scored rows. A missing value without its own id counts too.

    Args:
        usual: The share of unknown ids in each column of the test split; 0 for columns that are
            left out.
    """

    def __init__(self, usual: Mapping[str, float]) -> None:
        self._usual = usual
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, column: str, unknown: int, total: int) -> None:
        """Adds the numbers of unknown ids and of all ids of some rows of a column."""
        before, all_before = self._counts.get(column, (0, 0))
        self._counts[column] = (before + unknown, all_before + total)

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """The number of unknown ids and of all ids in each column."""
        return dict(self._counts)

    @property
    def shares(self) -> dict[str, float]:
        """The share of unknown ids in each column that has ids."""
        return {name: unknown / total for name, (unknown, total) in self._counts.items() if total}

    @property
    def unusual(self) -> dict[str, float]:
        """The shares that are larger than in the test split by more than chance."""
        return {name: share for name, share in self.shares.items() if share > self._most(name)}

    @property
    def wholly_unknown(self) -> list[str]:
        """The columns without any known id, if that is unusual."""
        return [name for name, share in self.unusual.items() if share == 1]

    def warning(self) -> str | None:
        """Returns a warning about columns with unusually many unknown ids; None if none has."""
        if not self.unusual:
            return None
        each = [
            f"{name} {100 * share:.3g} % (in the test split {100 * self._usual.get(name, 0):.3g} %)"
            for name, share in self.unusual.items()
        ]
        return (
            "The model does not know unusually many of the ids, so their scores are unreliable: "
            f"{', '.join(each)}."
        )

    def _most(self, name: str) -> float:
        usual, total = self._usual.get(name, 0.0), self._counts[name][1]
        return usual + ERRORS * math.sqrt(usual * (1 - usual) / total)
