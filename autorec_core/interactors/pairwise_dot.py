"""The pairwise dot interaction of DLRM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from autorec_core.interactors.base import Interactor, fields


@dataclass(frozen=True, kw_only=True)
class PairwiseDotInteraction(Interactor):
    """Computes the dot product of every pair of fields: `x[i] . x[j]` for `j < i`.

    The pairs are in the order (1, 0), (2, 0), (2, 1), (3, 0) and so on. Fields of different widths
    are mapped to the smallest. The output for a single field is one zero.

    Returns:
        Tensor of shape (batch_size, fields * (fields - 1) / 2).

    References:
        [Naumov et al., 2019](https://arxiv.org/abs/1906.00091)
    """

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns None for one vector, which has no pair."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the products over the fields of all inputs."""
        return PairwiseDot()(fields(inputs))


@keras.saving.register_keras_serializable(package="autorec")
class PairwiseDot(keras.layers.Layer):
    """Computes the dot products of all pairs."""

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, pairs)."""
        num_fields = inputs.shape[1]
        if num_fields == 1:
            return keras.ops.zeros_like(inputs[:, :, 0])
        products = keras.ops.matmul(inputs, keras.ops.transpose(inputs, (0, 2, 1)))
        rows, columns = np.tril_indices(num_fields, -1)
        places = (rows * num_fields + columns).tolist()
        square = keras.ops.reshape(products, (-1, num_fields * num_fields))
        return keras.ops.take(square, places, axis=1)
