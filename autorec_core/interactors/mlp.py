"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, flat


@dataclass(frozen=True, kw_only=True)
class MLPInteraction(Interactor):
    """Applies a multilayer perceptron to the concatenated inputs.

    Layer `l` computes `x[l+1] = dropout(relu(batch_norm(x[l] @ w[l] + b[l])))`.

    Args:
        units: Width of every layer.
        num_layers: Number of layers, at least 1.
        use_batch_norm: Whether activations are normalised over the batch.
        dropout_rate: Share of activations dropped in training.

    Returns:
        Tensor of shape (batch_size, units).

    References:
        [He et al., 2017](https://arxiv.org/abs/1708.05031)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {
        "units": choice(16, 32, 64, 128, 256, 512, 1024, default=32),
        "num_layers": choice(1, 2, 3, default=2),
        "dropout_rate": choice(0.0, 0.25, 0.5, default=0.0),
    }

    units: int = choice(16, 32, 64, 128, 256, default=64, least=1)
    num_layers: int = choice(1, 2, 3, least=1)
    use_batch_norm: bool = choice(False, True)
    dropout_rate: float = choice(0.0, 0.25, 0.5, default=0.5, least=0, below=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the layers on the concatenated inputs."""
        x = flat(inputs)
        for _ in range(self.num_layers):
            x = keras.layers.Dense(self.units, use_bias=not self.use_batch_norm)(x)
            if self.use_batch_norm:
                x = keras.layers.BatchNormalization()(x)
            x = keras.layers.Activation("relu")(x)
            if self.dropout_rate:
                x = keras.layers.Dropout(self.dropout_rate)(x)
        return x
