"""The inner product of the thesis: from all vectors to one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.interactors.base import Interactor, aligned, product


@dataclass(frozen=True, kw_only=True)
class InnerProductInteraction(Interactor):
    """Multiplies all vectors elementwise and sums the elements: `sum_d prod_i x[i, d]`.

    For two vectors this is the dot product of matrix factorisation; for three it is the trilinear
    product. PairwiseDotInteraction computes the dot products of all pairs instead. Inputs of
    different widths are mapped to the smallest. For a single input of rank 3, its fields are
    multiplied.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Koren et al., 2009](https://doi.org/10.1109/MC.2009.263)
    """

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns None for one vector, which has nothing to be multiplied by."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the product over the aligned inputs."""
        return InnerProduct()(aligned(inputs))


@keras.saving.register_keras_serializable(package="autorec")
class InnerProduct(keras.layers.Layer):
    """Multiplies the fields elementwise and sums the elements."""

    is_score = True

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, 1)."""
        return keras.ops.sum(product(inputs), axis=-1, keepdims=True)
