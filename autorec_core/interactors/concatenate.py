"""Concatenation, without any interaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autorec_core.interactors.base import Interactor, flat


@dataclass(frozen=True, kw_only=True)
class ConcatenateInteraction(Interactor):
    """Concatenates all inputs, so that the next block gets each of them.

    Returns:
        Tensor of shape (batch_size, sum of widths).

    References:
        [Cheng et al., 2016](https://arxiv.org/abs/1606.07792)
    """

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Flattens and concatenates."""
        return flat(inputs)
