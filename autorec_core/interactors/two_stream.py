"""The two-stream perceptron of FinalMLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import keras

from autorec_core.block import candidates, choice
from autorec_core.errors import BlockError
from autorec_core.interactors.base import Interactor, flat
from autorec_core.interactors.mlp import MLPInteraction


@dataclass(frozen=True, kw_only=True)
class TwoStreamInteraction(Interactor):
    """Combines two perceptrons, each with its own weighting of the inputs, by a bilinear product.

    Stream `s` is an MLP on `x * 2 sigmoid(x @ g[s] + c[s])`. The streams' outputs `a` and `b` are
    divided into `num_heads` parts, and the block computes
    `a . u + b . v + sum_h a[h] @ w[h] @ b[h]`.

    Args:
        units: Width of every layer of both streams; a multiple of `num_heads`.
        num_layers: Number of layers of each stream, at least 1.
        dropout_rate: Share of activations dropped in training.
        num_heads: Number of parts of the bilinear product.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Mao et al., 2023](https://arxiv.org/abs/2304.00902)
    """

    units: int = choice(16, 32, 64, 128, default=32, least=1)
    num_layers: int = choice(1, 2, 3, least=1)
    dropout_rate: float = choice(0.0, 0.25, 0.5, least=0, below=1)
    num_heads: int = choice(1, 2, 4, least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for units, heads in product(candidates(self.units), candidates(self.num_heads)):
            if units % heads:
                raise BlockError(
                    "`units` of TwoStreamInteraction must be a multiple of `num_heads`. "
                    f"Received: {units} units, {heads} heads."
                )

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds both streams on the concatenated inputs."""
        x = flat(inputs)
        first, second = self._stream(x), self._stream(x)
        sides = [keras.layers.Dense(1, use_bias=False)(stream) for stream in (first, second)]
        fused = BilinearFusion(self.num_heads)([first, second])
        return StreamSum()([*sides, fused])

    def _stream(self, x: Any) -> Any:
        gate = keras.layers.Dense(x.shape[-1], activation="sigmoid")(x)
        selected = keras.layers.Rescaling(2.0)(keras.layers.Multiply()([x, gate]))
        perceptron = MLPInteraction(
            units=self.units,
            num_layers=self.num_layers,
            use_batch_norm=False,
            dropout_rate=self.dropout_rate,
        )
        return perceptron.connect([selected])


@keras.saving.register_keras_serializable(package="autorec")
class StreamSum(keras.layers.Add):
    """Adds the outputs of both streams and of their product."""

    is_score = True


@keras.saving.register_keras_serializable(package="autorec")
class BilinearFusion(keras.layers.Layer):
    """Computes the bilinear product of two vectors, part by part, and sums the parts.

    Args:
        num_heads: Number of parts.
    """

    def __init__(self, num_heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def build(self, input_shape: Any) -> None:
        """Creates a matrix for each part, shape (num_heads, part, part)."""
        part = input_shape[0][-1] // self.num_heads
        bound = (3 / part) ** 0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_heads, part, part),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )

    def call(self, inputs: Any) -> Any:
        """Maps two tensors of shape (batch_size, width) to (batch_size, 1)."""
        first, second = (
            keras.ops.reshape(tensor, (-1, self.num_heads, tensor.shape[-1] // self.num_heads))
            for tensor in inputs
        )
        product = keras.ops.einsum("bhi,hij,bhj->b", first, self.kernel, second)
        return keras.ops.expand_dims(product, -1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_heads": self.num_heads}
