"""Random selection of one input."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autorec_core.block import bounded
from autorec_core.interactors.base import Interactor, checked, flat


@dataclass(frozen=True, kw_only=True)
class RandomSelectInteraction(Interactor):
    """Passes on one input, chosen at random: a baseline that other interactors should beat.

    Args:
        seed: The seed of the choice. The same seed and number of inputs always choose the same
            input. It is not searched, because different seeds may choose the same input.

    Returns:
        Tensor of shape (batch_size, width of the selected input).

    References:
        [Wang et al., 2020](https://arxiv.org/abs/2007.07224)
    """

    seed: int = bounded(0, least=0)

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns None for one vector, for which it does the same as concatenation."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Selects and flattens."""
        return flat([random.Random(self.seed).choice(list(checked(inputs)))])
