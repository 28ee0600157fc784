"""The compressed interaction network (CIN) of xDeepFM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, fields


@dataclass(frozen=True, kw_only=True)
class CompressedInteraction(Interactor):
    """Crosses whole vectors and compresses the crosses to a few vectors in each layer.

    Layer `k` computes the vectors `x[k+1][h] = sum_ij w[k][h, i, j] * x[k][i] * x[0][j]`. The
    output is the sum over the elements of every vector. Fields of different widths are mapped to
    the smallest.

    Args:
        units: Number of vectors in each layer.
        num_layers: Number of layers, at least 1.

    Returns:
        Tensor of shape (batch_size, num_layers * units).

    References:
        [Lian et al., 2018](https://arxiv.org/abs/1803.05170)
    """

    units: int = choice(4, 8, 16, default=8, least=1)
    num_layers: int = choice(1, 2, 3, default=2, least=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the layers over the fields of all inputs."""
        x0 = x = fields(inputs)
        sums = []
        for _ in range(self.num_layers):
            x = CompressedCross(self.units)([x0, x])
            sums.append(VectorSums()(x))
        return sums[0] if len(sums) == 1 else keras.layers.Concatenate()(sums)


@keras.saving.register_keras_serializable(package="autorec")
class CompressedCross(keras.layers.Layer):
    """One layer of the network.

    Args:
        units: Number of vectors that it returns.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Creates the weights, shape (pairs of vectors, units)."""
        pairs = input_shape[0][1] * input_shape[1][1]
        self.kernel = self.add_weight(
            name="kernel", shape=(pairs, self.units), initializer="glorot_uniform"
        )

    def call(self, inputs: Any) -> Any:
        """Computes the next layer's vectors, shape (batch_size, units, dim).

        Args:
            inputs: `[x0, x]`, of shape (batch_size, fields, dim) and (batch_size, vectors, dim).
        """
        x0, x = inputs
        products = keras.ops.einsum("bid,bjd->bdij", x, x0)
        products = keras.ops.reshape(products, (-1, x0.shape[2], x.shape[1] * x0.shape[1]))
        return keras.ops.transpose(keras.ops.matmul(products, self.kernel), (0, 2, 1))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="autorec")
class VectorSums(keras.layers.Layer):
    """Sums the elements of every vector."""

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, vectors, dim) to (batch_size, vectors)."""
        return keras.ops.sum(inputs, axis=-1)
