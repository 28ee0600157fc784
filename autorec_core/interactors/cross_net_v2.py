"""The cross network of DCN-V2, full and low rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, flat


@dataclass(frozen=True, kw_only=True)
class CrossNetV2Interaction(Interactor):
    """Computes explicit feature crosses with a weight matrix in each layer.

    Layer `l` computes `x[l+1] = x[0] * (x[l] @ w[l] + b[l]) + x[l]` elementwise, on the
    concatenated inputs. With a rank, `w[l] = u[l] @ v[l]` has that rank.

    Args:
        num_layers: Number of cross layers, at least 1.
        rank: Rank of the weight matrices; 0 for full rank.

    Returns:
        Tensor of shape (batch_size, sum of widths).

    References:
        [Wang et al., 2021](https://arxiv.org/abs/2008.13535)
    """

    num_layers: int = choice(1, 2, 3, least=1)
    rank: int = choice(0, 8, 32, least=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the cross layers on the concatenated inputs."""
        x0 = x = flat(inputs)
        for _ in range(self.num_layers):
            weighted = keras.layers.Dense(self.rank, use_bias=False)(x) if self.rank else x
            weighted = keras.layers.Dense(x0.shape[-1])(weighted)
            x = keras.layers.Add()([keras.layers.Multiply()([x0, weighted]), x])
        return x
