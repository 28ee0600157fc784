"""The dense mapper: numeric columns to embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import bounded, choice
from autorec_core.mappers.base import Mapper


@dataclass(frozen=True, kw_only=True)
class DenseFeatureMapper(Mapper):
    """Maps numeric columns to embeddings.

    With "fields", column `m` becomes `value[m] * vector[m]` with a trained vector (AutoInt), so
    zero stays zero. With "mlp", all columns together go through a small multilayer perceptron that
    ends in one embedding (the bottom MLP of DLRM).

    Args:
        embedding_dim: Width of the vectors.
        output: "fields" or "mlp".
        units: Width of the perceptron's one hidden layer.

    Returns:
        Tensor of shape (batch_size, columns, embedding_dim) for "fields", (batch_size,
        embedding_dim) for "mlp".

    References:
        [Song et al., 2019](https://arxiv.org/abs/1810.11921),
        [Naumov et al., 2019](https://arxiv.org/abs/1906.00091)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {
        "embedding_dim": choice(8, 16),
        "output": "fields",
        "units": 64,
    }

    maps_ids: ClassVar[bool] = False

    embedding_dim: int = choice(4, 8, 16, 32, default=8, least=1)
    output: str = choice("fields", "mlp", among=("fields", "mlp"))
    units: int = bounded(64, least=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the mapping on the one input of numbers, shape (batch_size, columns)."""
        numbers = self.only(inputs)
        if self.output == "fields":
            return ScaledVectors(self.embedding_dim)(numbers)
        hidden = keras.layers.Dense(self.units, activation="relu")(numbers)
        return keras.layers.Dense(self.embedding_dim, activation="relu")(hidden)


@keras.saving.register_keras_serializable(package="autorec")
class ScaledVectors(keras.layers.Layer):
    """Multiplies each number by its column's trained vector.

    Args:
        dim: Width of the vectors.
    """

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape: Any) -> None:
        """Creates the vectors, shape (columns, dim)."""
        self.vectors = self.add_weight(
            name="vectors", shape=(input_shape[-1], self.dim), initializer="uniform"
        )

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, columns) to (batch_size, columns, dim)."""
        return keras.ops.expand_dims(inputs, -1) * self.vectors

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "dim": self.dim}
