"""The pooled mapper: from a multi-valued column to one embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from autorec_core.block import bounded, choice
from autorec_core.errors import BlockError
from autorec_core.mappers.base import Mapper, RowPenalty


@dataclass(frozen=True, kw_only=True)
class PooledFeatureMapper(Mapper):
    """Maps a multi-valued column to the mean of its categories' vectors.

    Unknown categories and unused places of a list have id 0 and do not count. A row without a known
    category gets zeros.

    Args:
        first_column: The place of the list's first id in the input, counted from 0.
        length: Number of places in the list.
        vocabulary_size: Number of ids, "unknown" (id 0) included.
        embedding_dim: Width of the vectors.
        l2: Weight of the squared norms of the vectors, equal for all ids, divided by the number of
            training rows. The sparse mappers share this hyperparameter.

    Returns:
        Tensor of shape (batch_size, 1, embedding_dim).

    References:
        [Covington et al., 2016](https://doi.org/10.1145/2959100.2959190)
    """

    ADAPTED: ClassVar[tuple[str, ...]] = ("l2",)
    THESIS: ClassVar[Mapping[str, Any]] = {"embedding_dim": choice(8, 16), "l2": 0.0}

    first_column: int = bounded(least=0)
    length: int = bounded(least=1)
    vocabulary_size: int = bounded(least=1)
    embedding_dim: int = choice(4, 8, 16, 32, default=8, least=1)
    l2: float = choice(3.0, 10.0, 30.0, 100.0, default=30.0, name="sparse_l2", least=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the embedding on the one input of ids, shape (batch_size, columns)."""
        table = self.only(inputs)
        if self.first_column + self.length > table.shape[1]:
            raise BlockError(
                f"{type(self).__name__} maps places {self.first_column} to "
                f"{self.first_column + self.length - 1}, but the input has "
                f"{table.shape[1]} columns."
            )
        columns = list(range(self.first_column, self.first_column + self.length))
        ids = ListIds(columns)(table)
        vectors = keras.layers.Embedding(self.vocabulary_size, self.embedding_dim)(ids)
        if self.l2:
            name = table._keras_history.operation.name
            vectors = ListPenalty(name, columns, [self.vocabulary_size], self.l2)([ids, vectors])
        return KnownMean()([ids, vectors])


@keras.saving.register_keras_serializable(package="autorec")
class ListIds(keras.layers.Layer):
    """Picks the columns of one list.

    Args:
        columns: The columns, counted from 0.
    """

    def __init__(self, columns: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.columns = list(columns)

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, all columns) to (batch_size, length)."""
        return inputs[:, self.columns[0] : self.columns[-1] + 1]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "columns": self.columns}


@keras.saving.register_keras_serializable(package="autorec")
class ListPenalty(RowPenalty):
    """A row penalty for columns that all look up rows of the same vocabulary."""

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Counts how often the training rows look up each row of the table."""
        ids = inputs[self.input_name][:, self.columns[0] : self.columns[-1] + 1]
        counts = np.bincount(ids.reshape(-1), minlength=self.vocabulary_sizes[0])
        self.shares.assign(self.l2 / np.maximum(counts, 1))


@keras.saving.register_keras_serializable(package="autorec")
class KnownMean(keras.layers.Layer):
    """Takes the mean of the vectors whose id is not 0."""

    def call(self, inputs: Any) -> Any:
        """Maps ids and vectors to the mean vector, shape (batch_size, 1, dim).

        Args:
            inputs: `[ids, vectors]`, of shape (batch_size, length) and (batch_size, length, dim).
        """
        ids, vectors = inputs
        known = keras.ops.expand_dims(keras.ops.cast(ids > 0, vectors.dtype), -1)
        total = keras.ops.sum(known * vectors, axis=1, keepdims=True)
        return total / keras.ops.maximum(keras.ops.sum(known, axis=1, keepdims=True), 1.0)
