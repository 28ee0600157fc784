"""Random selection: one of the inputs, the others dropped."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, checked, flat


@dataclass(frozen=True, kw_only=True)
class RandomSelectInteraction(Interactor):
    """Passes one input on and drops the rest: a yardstick that an interaction has to beat.

    Args:
        seed: Decides which input; the same seed and number of inputs give the same one.

    Returns:
        Tensor of shape (batch_size, width of the selected input).

    References:
        [Wang et al., 2020](https://arxiv.org/abs/2007.07224)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {"seed": 0}

    seed: int = choice(0, 1, 2, 3)

    def __post_init__(self) -> None:
        self.require("seed", least=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Selects and flattens."""
        return flat([random.Random(self.seed).choice(list(checked(inputs)))])
