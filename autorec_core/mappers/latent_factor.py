"""The latent factor mapper of the thesis: one id column to one embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import Block, choice


@keras.saving.register_keras_serializable(package="autorec")
class Column(keras.layers.Layer):
    """Picks one column of a table.

    Args:
        index: The column, counted from 0.
    """

    def __init__(self, index: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.index = index

    def call(self, inputs: Any) -> Any:
        """(batch_size, columns) to (batch_size,)."""
        return inputs[:, self.index]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "index": self.index}


@dataclass(frozen=True, kw_only=True)
class LatentFactorMapper(Block):
    """Maps one id column to its latent vectors.

    Args:
        feat_column_id: The id column's place in the input, counted from 0.
        id_num: Number of ids, "unknown" (id 0) included.
        embedding_dim: Width of the vectors.

    Returns:
        Tensor of shape (batch_size, embedding_dim).
    """

    THESIS: ClassVar[Mapping[str, Any]] = {"embedding_dim": choice(8, 16, 32, 64, 128, default=32)}

    feat_column_id: int
    id_num: int
    embedding_dim: int = choice(8, 16, 32, 64, 128, default=32)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the embedding on the first (and only) input, shape (batch_size, columns)."""
        ids = Column(self.feat_column_id)(inputs[0])
        return keras.layers.Embedding(self.id_num, self.embedding_dim)(ids)
