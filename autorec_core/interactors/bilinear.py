"""The bilinear interaction of FiBiNET."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, fields

FORMS = ("all", "each", "pair")


@dataclass(frozen=True, kw_only=True)
class BilinearInteraction(Interactor):
    """Multiplies every pair of fields elementwise, after a matrix is applied to the first.

    Pair (i, j) with `i < j` gives `(x[i] @ w) * x[j]`. The pairs are in the order (0, 1), (0, 2)
    and so on. Fields of different widths are mapped to the smallest. The output for a single field
    is zero.

    Args:
        form: Which pairs share a matrix `w`: "all" pairs, "each" (pairs with the same first field)
            or "pair" (each pair has its own).

    Returns:
        Tensor of shape (batch_size, fields * (fields - 1) / 2 * dim).

    References:
        [Huang et al., 2019](https://arxiv.org/abs/1905.09433)
    """

    form: str = choice(*FORMS, among=FORMS)

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns None for one vector, which has no pair; for two vectors all forms are equal."""
        if fields > 2:
            return self
        return dataclasses.replace(self, form=FORMS[0]) if fields == 2 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the products over the fields of all inputs."""
        return keras.layers.Flatten()(BilinearPairs(self.form)(fields(inputs)))


@keras.saving.register_keras_serializable(package="autorec")
class BilinearPairs(keras.layers.Layer):
    """Computes the bilinear products of all pairs.

    Args:
        form: A name of `FORMS`.
    """

    def __init__(self, form: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.form = form

    def build(self, input_shape: Any) -> None:
        """Creates the matrices, shape (matrices, dim, dim)."""
        num_fields, dim = input_shape[1:]
        matrices = {"all": 1, "each": num_fields - 1, "pair": num_fields * (num_fields - 1) // 2}
        self.matrices = self.add_weight(
            name="matrices",
            shape=(max(matrices[self.form], 1), dim, dim),
            initializer=keras.initializers.RandomUniform(-((3 / dim) ** 0.5), (3 / dim) ** 0.5),
        )

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, pairs, dim)."""
        num_fields = inputs.shape[1]
        if num_fields == 1:
            return keras.ops.zeros_like(inputs)
        first, second = (places.tolist() for places in np.triu_indices(num_fields, 1))
        left = keras.ops.take(inputs, first, axis=1)
        if self.form == "all":
            left = keras.ops.matmul(left, self.matrices[0])
        else:
            matrices = self.matrices
            if self.form == "each":
                matrices = keras.ops.take(matrices, first, axis=0)
            left = keras.ops.einsum("bpd,pde->bpe", left, matrices)
        return left * keras.ops.take(inputs, second, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "form": self.form}
