"""The second-order part of the factorisation machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, fields


@dataclass(frozen=True, kw_only=True)
class FMInteraction(Interactor):
    """Sums the dot products of all pairs of fields: `sum_{i<j} x[i] . x[j]`.

    Fields of another width than `embedding_dim` are mapped to it. The output for a single field is
    zero.

    Args:
        embedding_dim: The width of the vectors that are multiplied; 0 for the smallest field's.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Rendle, 2010](https://doi.org/10.1109/ICDM.2010.127)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {"embedding_dim": choice(4, 8, 16, default=8)}

    embedding_dim: int = choice(0, 4, 8, 16, least=0)

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns None for one vector, which has no pair."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the sum over the fields of all inputs."""
        return PairwiseSum()(fields(inputs, self.embedding_dim))


@keras.saving.register_keras_serializable(package="autorec")
class PairwiseSum(keras.layers.Layer):
    """Sums the dot products of all pairs, at a cost linear in the number of fields."""

    is_score = True

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, 1)."""
        # The gradient with respect to a field is the sum of all other fields. With that sum as a
        # constant factor, it needs half as many passes over the batch as the gradient of squares.
        others = keras.ops.stop_gradient(keras.ops.sum(inputs, axis=1, keepdims=True) - inputs)
        twice = keras.ops.sum(inputs * others, axis=(1, 2))[:, None]
        return twice - keras.ops.stop_gradient(0.5 * twice)
