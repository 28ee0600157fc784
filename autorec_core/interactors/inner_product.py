"""The inner product of the thesis: one number from all vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.interactors.base import Interactor, aligned, product


@dataclass(frozen=True, kw_only=True)
class InnerProductInteraction(Interactor):
    """The elements' products, summed: `sum_d prod_i x[i, d]`.

    Of two vectors this is the dot product of matrix factorisation; of more it is the trilinear
    (and so on) product. The dot products of all pairs are PairwiseDotInteraction. Inputs of
    different widths are mapped to the narrowest; a single input of rank 3 stands for its fields.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Koren et al., 2009](https://doi.org/10.1109/MC.2009.263)
    """

    def narrowed(self, fields: int) -> Interactor | None:
        """One vector has no product with another."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the product over the aligned inputs."""
        return InnerProduct()(aligned(inputs))


@keras.saving.register_keras_serializable(package="autorec")
class InnerProduct(keras.layers.Layer):
    """The product over the fields, summed over their elements."""

    is_score = True

    def call(self, inputs: Any) -> Any:
        """(batch_size, fields, dim) to (batch_size, 1)."""
        return keras.ops.sum(product(inputs), axis=-1, keepdims=True)
