"""The base class of mappers, and the layers that pick columns and look up embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from autorec_core.block import Block, holds_ids
from autorec_core.errors import BlockError

UNKNOWN = 0
"""The id of a category that is not in the vocabulary."""


def known_ids(ids: np.ndarray, size: int) -> np.ndarray:
    """Replaces ids outside a vocabulary of `size` ids by "unknown", as `StackedIds` does."""
    return np.where((ids >= 0) & (ids < size), ids, UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Mapper(Block):
    """A block from ids or numbers to feature vectors.

    `maps_ids` is True for a mapper of ids and False for a mapper of numbers.
    """

    maps_ids: ClassVar[bool] = True

    def only(self, inputs: Sequence[Any]) -> Any:
        """Returns the one input of a mapper.

        Raises:
            BlockError: There are several inputs, the input is not of shape (batch_size, columns),
                or it holds numbers instead of ids or ids instead of numbers.
        """
        if len(inputs) != 1 or len(inputs[0].shape) != 2:
            shapes = [tuple(tensor.shape) for tensor in inputs]
            raise BlockError(
                f"{type(self).__name__} must be called on one input of shape (batch_size, "
                f"columns). Received: {shapes}."
            )
        if holds_ids(inputs[0]) != self.maps_ids:
            wanted = "ids, dtype int32" if self.maps_ids else "numbers, dtype float32"
            raise BlockError(f"{type(self).__name__} maps {wanted}. Received: {inputs[0].dtype}.")
        return inputs[0]

    def has_column(self, table: Any, name: str) -> int:
        """Returns the column that the field `name` holds.

        Raises:
            BlockError: The input does not have this column.
        """
        column: int = getattr(self, name)
        if column >= table.shape[1]:
            raise BlockError(
                f"`{name}` of {type(self).__name__} is {column}, but the input has columns 0 to "
                f"{table.shape[1] - 1}."
            )
        return column


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
        """Maps (batch_size, columns) to (batch_size,)."""
        return inputs[:, self.index]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "index": self.index}


@keras.saving.register_keras_serializable(package="autorec")
class StackedIds(keras.layers.Layer):
    """Picks columns of ids and shifts each column's ids, so that one table holds all vectors.

    An id outside its column's vocabulary becomes "unknown"; otherwise, after the shift, it would be
    an id of another column.

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
        """Maps (batch_size, all columns) to (batch_size, picked columns)."""
        picked = inputs
        if self.columns != list(range(inputs.shape[-1])):
            picked = keras.ops.take(inputs, self.columns, axis=1)
        sizes = np.array(self.vocabulary_sizes, dtype="int32")
        known = keras.ops.logical_and(picked >= 0, picked < sizes)
        return keras.ops.where(known, picked, UNKNOWN) + self._shifts

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "columns": self.columns,
            "vocabulary_sizes": self.vocabulary_sizes,
        }


@keras.saving.register_keras_serializable(package="autorec")
class RowPenalty(keras.layers.Layer):
    """Adds an L2 penalty on the table rows that a batch looks up, with equal weight for all rows.

    Each lookup of a row costs `l2 / n` times its squared norm, where `n` is the number of times
    that the training rows look it up. Over an epoch the penalty is `l2` times the squared norms of
    all rows that occur, divided by the number of training rows. Rows that a batch does not look up
    do not change.

    Args:
        input_name: The model input that the ids come from.
        columns: The columns that are looked up, counted from 0.
        vocabulary_sizes: Number of ids of each of these columns.
        l2: The penalty's weight.
    """

    def __init__(
        self,
        input_name: str,
        columns: Sequence[int],
        vocabulary_sizes: Sequence[int],
        l2: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_name = input_name
        self.columns = list(columns)
        self.vocabulary_sizes = list(vocabulary_sizes)
        self.l2 = l2

    def build(self, input_shape: Any) -> None:
        """Creates the weight that holds each row's share of the penalty."""
        rows = sum(self.vocabulary_sizes)
        self.shares = self.add_weight(
            name="shares", shape=(rows,), initializer="zeros", trainable=False
        )

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Counts how often the training rows look up each row of the table."""
        counts = []
        for column, size in zip(self.columns, self.vocabulary_sizes, strict=True):
            known = known_ids(inputs[self.input_name][:, column], size)
            counts.append(np.bincount(known, minlength=size))
        self.shares.assign(self.l2 / np.maximum(np.concatenate(counts), 1))

    def call(self, inputs: Any) -> Any:
        """Adds the penalty and returns the vectors.

        Args:
            inputs: `[ids, vectors]`, of shape (batch_size, fields) and (batch_size, fields, dim).
        """
        ids, vectors = inputs
        shares = keras.ops.take(self.shares, ids, axis=0)
        costs = shares * keras.ops.sum(keras.ops.square(vectors), axis=-1)
        self.add_loss(keras.ops.mean(keras.ops.sum(costs, axis=-1)))
        return vectors

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "input_name": self.input_name,
            "columns": self.columns,
            "vocabulary_sizes": self.vocabulary_sizes,
            "l2": self.l2,
        }


def looked_up(
    table: Any,
    columns: Sequence[int],
    vocabulary_sizes: Sequence[int],
    dim: int,
    l2: float,
    initializer: str = "uniform",
) -> Any:
    """Looks up a trained vector for each of some columns of ids, all in one table.

    Args:
        table: The model input, shape (batch_size, all columns).
        columns: The columns, counted from 0.
        vocabulary_sizes: Number of ids of each of these columns.
        dim: Width of a vector.
        l2: Weight of the squared norms of the table's rows, divided by the number of training rows.
        initializer: The Keras initializer's name.

    Returns:
        Tensor of shape (batch_size, columns, dim).
    """
    ids = StackedIds(columns, vocabulary_sizes)(table)
    vectors = keras.layers.Embedding(
        sum(vocabulary_sizes), dim, embeddings_initializer=initializer
    )(ids)
    if not l2:
        return vectors
    name = table._keras_history.operation.name
    return RowPenalty(name, columns, vocabulary_sizes, l2)([ids, vectors])
