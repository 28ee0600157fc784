"""The gated cross network of GDCN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, flat


@dataclass(frozen=True, kw_only=True)
class GatedCrossInteraction(Interactor):
    """Computes explicit feature crosses and weighs each by a learned gate.

    Layer `l` computes `x[l+1] = x[0] * (x[l] @ w[l] + b[l]) * sigmoid(x[l] @ g[l]) + x[l]`
    elementwise, on the concatenated inputs.

    Args:
        num_layers: Number of cross layers, at least 1.

    Returns:
        Tensor of shape (batch_size, sum of widths).

    References:
        [Wang et al., 2023](https://arxiv.org/abs/2311.04635)
    """

    num_layers: int = choice(1, 2, 3, least=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the cross layers on the concatenated inputs."""
        x0 = x = flat(inputs)
        width = x0.shape[-1]
        for _ in range(self.num_layers):
            weighted = keras.layers.Dense(width)(x)
            gate = keras.layers.Dense(width, use_bias=False, activation="sigmoid")(x)
            x = keras.layers.Add()([keras.layers.Multiply()([x0, weighted, gate]), x])
        return x
