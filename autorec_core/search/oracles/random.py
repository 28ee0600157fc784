"""Random search."""

from __future__ import annotations

from typing import Any

from autorec_core.search.oracles.base import RecordedOracle, answer


class RandomOracle(RecordedOracle):
    """Proposes random points of the space."""

    informed = False

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial."""
        return answer(self._new_point(self._random()))
