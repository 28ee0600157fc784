"""The linear mapper: a weighted sum of numbers that is added to the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.mappers.base import Mapper


@dataclass(frozen=True, kw_only=True)
class LinearMapper(Mapper):
    """Maps numeric columns to their weighted sum: the linear part for numbers.

    All weights begin at `start`. Random weights would be noise that remains after a few epochs on a
    few rows.

    Args:
        start: The initial weight of every column.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Cheng et al., 2016](https://arxiv.org/abs/1606.07792)
    """

    maps_ids: ClassVar[bool] = False

    start: float = 0.0

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the weights on the one input of numbers, shape (batch_size, columns)."""
        begin = keras.initializers.Constant(self.start)
        return WeightedSum(1, use_bias=False, kernel_initializer=begin)(self.only(inputs))


@keras.saving.register_keras_serializable(package="autorec")
class WeightedSum(keras.layers.Dense):
    """A linear layer with one output, which is a part of the score."""

    is_score = True
