"""The bias mapper: a number for each id that is added to the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import choice
from autorec_core.mappers.base import looked_up
from autorec_core.mappers.sparse_feature import ColumnsMapper


@dataclass(frozen=True, kw_only=True)
class BiasMapper(ColumnsMapper):
    """Maps every categorical column to a bias and adds the biases: user bias plus item bias.

    With the global mean of a task optimizer, this is the baseline predictor of matrix factorisation
    and the linear part of Wide & Deep, DeepFM and factorisation machines.

    Args:
        vocabulary_sizes: Number of ids of each mapped column, "unknown" (id 0) included.
        columns: The mapped columns' places in the input, counted from 0; empty for all.
        l2: Weight of the squared biases, equal for all ids, divided by the number of training rows.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Koren et al., 2009](https://doi.org/10.1109/MC.2009.263)
    """

    ADAPTED: ClassVar[tuple[str, ...]] = ("l2",)
    THESIS: ClassVar[Mapping[str, Any]] = {"l2": 0.0}

    l2: float = choice(0.0, 1.0, 3.0, 10.0, default=3.0, name="bias_l2", least=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the biases on the one input of ids, shape (batch_size, columns)."""
        table = self.only(inputs)
        columns = self.picked(table)
        return Total()(looked_up(table, columns, self.vocabulary_sizes, 1, self.l2, "zeros"))


@keras.saving.register_keras_serializable(package="autorec")
class Total(keras.layers.Layer):
    """Adds up the fields' numbers."""

    is_score = True

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, 1) to (batch_size, 1)."""
        return keras.ops.sum(inputs, axis=1)
