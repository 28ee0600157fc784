"""The factorisation machine's second-order part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, fields


@dataclass(frozen=True, kw_only=True)
class FMInteraction(Interactor):
    """The dot products of every pair of fields, summed: `sum_{i<j} x[i] . x[j]`.

    Fields of another width than `embedding_dim` are mapped to it. Of one field it is zero.

    Args:
        embedding_dim: The width in which dot products are taken; 0 for the narrowest field's.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Rendle, 2010](https://doi.org/10.1109/ICDM.2010.127)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {"embedding_dim": choice(4, 8, 16, default=8)}

    embedding_dim: int = choice(0, 4, 8, 16, least=0)

    def narrowed(self, fields: int) -> Interactor | None:
        """One vector has no pair."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the sum over the fields of all inputs."""
        return PairwiseSum()(fields(inputs, self.embedding_dim))


@keras.saving.register_keras_serializable(package="autorec")
class PairwiseSum(keras.layers.Layer):
    """The sum of all pairs' dot products at a cost linear in the number of fields."""

    is_score = True

    def call(self, inputs: Any) -> Any:
        """(batch_size, fields, dim) to (batch_size, 1)."""
        # The gradient of the sum by a field is the sum of all other fields. Given as a constant
        # factor it takes half the passes over the batch that the gradient of the squares does.
        others = keras.ops.stop_gradient(keras.ops.sum(inputs, axis=1, keepdims=True) - inputs)
        twice = keras.ops.sum(inputs * others, axis=(1, 2))[:, None]
        return twice - keras.ops.stop_gradient(0.5 * twice)
