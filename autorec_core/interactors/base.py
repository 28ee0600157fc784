"""What every interactor shares: the base class, and the rules that bring inputs to one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import Block


@dataclass(frozen=True, kw_only=True)
class Interactor(Block):
    """A block from feature vectors to information.

    Inputs are tensors of rank 2, (batch_size, width), or rank 3, (batch_size, fields, dim).
    """


def flat(tensors: Sequence[Any]) -> Any:
    """All inputs side by side, shape (batch_size, sum of widths)."""
    flattened = [
        tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor) for tensor in tensors
    ]
    return flattened[0] if len(flattened) == 1 else keras.layers.Concatenate()(flattened)
