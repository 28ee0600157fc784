"""The squeeze-and-excitation network of FiBiNET: a weight for each field of a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import Choice, choice
from autorec_core.interactors.base import Interactor, fields


@dataclass(frozen=True, kw_only=True)
class SqueezeExcitationInteraction(Interactor):
    """Scales every field by a weight that depends on all fields: `x[i] * a[i]`.

    The weights are `a = relu(relu(z @ w1) @ w2)`, where `z` holds the fields' means. Fields of
    different widths are mapped to the smallest.

    Args:
        reduction: Number of fields divided by the width of the hidden layer.

    Returns:
        Tensor of shape (batch_size, fields, dim).

    References:
        [Huang et al., 2019](https://arxiv.org/abs/1905.09433)
    """

    reduction: int = choice(2, 3, default=3, least=1)

    def narrowed(self, fields: int) -> Interactor | None:
        """Drops reductions that give a hidden layer of the same width as another one."""
        if not isinstance(self.reduction, Choice):
            return self
        widths = {max(fields // int(by), 1): by for by in reversed(self.reduction.values)}
        kept = tuple(by for by in self.reduction.values if by in widths.values())
        default = self.reduction.default if self.reduction.default in kept else kept[0]
        return dataclasses.replace(self, reduction=choice(*kept, default=default))

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the network over the fields of all inputs."""
        x = fields(inputs)
        num_fields = x.shape[1]
        weights = FieldMeans()(x)
        for units in (max(num_fields // self.reduction, 1), num_fields):
            weights = keras.layers.Dense(units, use_bias=False, activation="relu")(weights)
        return keras.layers.Multiply()([x, keras.layers.Reshape((num_fields, 1))(weights)])


@keras.saving.register_keras_serializable(package="autorec")
class FieldMeans(keras.layers.Layer):
    """Computes the mean of the elements of every field."""

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, fields)."""
        return keras.ops.mean(inputs, axis=-1)
