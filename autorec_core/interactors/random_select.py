"""Random selection: one of the inputs, the others dropped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autorec_core.block import bounded
from autorec_core.interactors.base import Interactor, checked, flat


@dataclass(frozen=True, kw_only=True)
class RandomSelectInteraction(Interactor):
    """Passes one input on and drops the rest: a yardstick that an interaction has to beat.

    Args:
        seed: Decides which input; the same seed and number of inputs give the same one. Not
            searched: two seeds may well decide for the same input.

    Returns:
        Tensor of shape (batch_size, width of the selected input).

    References:
        [Wang et al., 2020](https://arxiv.org/abs/2007.07224)
    """

    seed: int = bounded(0, least=0)

    def narrowed(self, fields: int) -> Interactor | None:
        """One vector alone is always selected, as concatenating does."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Selects and flattens."""
        return flat([random.Random(self.seed).choice(list(checked(inputs)))])
