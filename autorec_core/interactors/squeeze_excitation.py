"""The squeeze-and-excitation network of FiBiNET: how much each field matters in this row."""

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
    """Every field scaled by a weight that all fields decide: `x[i] * a[i]`.

    `a = relu(relu(z @ w1) @ w2)` with `z` the fields' means. Fields of different widths are mapped
    to the narrowest.

    Args:
        reduction: By how much the hidden layer is narrower than the fields are many.

    Returns:
        Tensor of shape (batch_size, fields, dim).

    References:
        [Huang et al., 2019](https://arxiv.org/abs/1905.09433)
    """

    reduction: int = choice(2, 3, default=3, least=1)

    def narrowed(self, fields: int) -> Interactor | None:
        """Of few vectors, several reductions leave a hidden layer of the same width."""
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
    """Every field's mean over its elements."""

    def call(self, inputs: Any) -> Any:
        """(batch_size, fields, dim) to (batch_size, fields)."""
        return keras.ops.mean(inputs, axis=-1)
