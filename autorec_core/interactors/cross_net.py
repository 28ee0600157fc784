"""The cross network of DCN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, flat


@dataclass(frozen=True, kw_only=True)
class CrossNetInteraction(Interactor):
    """Computes explicit feature crosses of bounded degree.

    Layer `l` computes `x[l+1] = x[0] * (x[l] . w[l]) + b[l] + x[l]` on the concatenated inputs.
    `num_layers` layers give crosses up to degree `num_layers + 1`. The cost is linear in the width.

    Args:
        num_layers: Number of cross layers, at least 1.

    Returns:
        Tensor of shape (batch_size, sum of widths).

    References:
        [Wang et al., 2017](https://arxiv.org/abs/1708.05123)
    """

    num_layers: int = choice(1, 2, 3, 4, least=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the cross layers on the concatenated inputs."""
        x0 = x = flat(inputs)
        for _ in range(self.num_layers):
            x = VectorCross()([x0, x])
        return x


@keras.saving.register_keras_serializable(package="autorec")
class VectorCross(keras.layers.Layer):
    """One cross layer with a weight vector."""

    def build(self, input_shape: Any) -> None:
        """Creates the weight vector and the bias."""
        width = input_shape[0][-1]
        self.kernel = self.add_weight(name="kernel", shape=(width, 1), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Maps `[x0, x]`, each of shape (batch_size, width), to (batch_size, width)."""
        x0, x = inputs
        return x0 * keras.ops.matmul(x, self.kernel) + self.bias + x
