"""What every mapper shares: the base class, picking columns, and the embedding itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from autorec_core.block import Block
from autorec_core.errors import BlockError


@dataclass(frozen=True, kw_only=True)
class Mapper(Block):
    """A block from ids or numbers to feature vectors."""

    def only(self, inputs: Sequence[Any]) -> Any:
        """The one input that a mapper is called on.

        Raises:
            BlockError: There are several, or it is not a table of rows and columns.
        """
        if len(inputs) != 1 or len(inputs[0].shape) != 2:
            shapes = [tuple(tensor.shape) for tensor in inputs]
            raise BlockError(
                f"{type(self).__name__} is called on one input of shape (batch_size, columns). "
                f"Received: {shapes}."
            )
        return inputs[0]


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


@keras.saving.register_keras_serializable(package="autorec")
class StackedIds(keras.layers.Layer):
    """Picks columns of ids and shifts each, so that one table can hold the rows of all.

    Args:
        columns: The columns, counted from 0.
        vocabulary_sizes: Number of ids of each picked column, "unknown" (id 0) included.
    """

    def __init__(
        self, columns: Sequence[int], vocabulary_sizes: Sequence[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.columns = list(columns)
        self.vocabulary_sizes = list(vocabulary_sizes)
        self._shifts = np.cumsum([0, *self.vocabulary_sizes[:-1]]).astype("int32")

    def call(self, inputs: Any) -> Any:
        """(batch_size, all columns) to (batch_size, picked columns)."""
        picked = inputs
        if self.columns != list(range(inputs.shape[-1])):
            picked = keras.ops.take(inputs, self.columns, axis=1)
        return picked + self._shifts

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "columns": self.columns,
            "vocabulary_sizes": self.vocabulary_sizes,
        }


def embedding(id_num: int, dim: int, l2: float, initializer: str = "uniform") -> Any:
    """A trained table of `id_num` vectors.

    Args:
        id_num: Number of rows.
        dim: Width of a row.
        l2: Weight of the penalty on the rows that a batch looks up: the squared norms of a data
            row's vectors, summed, and averaged over the batch (Keras divides an activity's penalty
            by the batch size). Rows that a batch does not touch cost nothing.
        initializer: The Keras initializer's name.
    """
    return keras.layers.Embedding(
        id_num,
        dim,
        embeddings_initializer=initializer,
        activity_regularizer=keras.regularizers.L2(l2) if l2 else None,
    )
