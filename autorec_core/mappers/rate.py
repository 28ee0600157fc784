"""The rate mapper: the click rate of the training rows with the same id (target encoding)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from autorec_core.block import choice
from autorec_core.errors import BlockError
from autorec_core.mappers.base import StackedIds, known_ids
from autorec_core.mappers.sparse_feature import ColumnsMapper

FOLDS = 5
LOW_BITS = 1 << 16
"""Only the high half of a product is used: its low bits depend on few bits of the factors."""
_RANDOM = np.random.default_rng(0)
SHIFTS = np.concatenate(
    [np.arange(FOLDS), *(_RANDOM.permutation(FOLDS) for _ in range(999))]
).astype("int32")
"""For rows with the same ids: the distance of each row's fold from the first row's fold.

The order is random, because labels may follow a pattern, such as one click and then four rows
without a click. Folds in a fixed order could repeat the pattern.
"""


@dataclass(frozen=True, kw_only=True)
class RateMapper(ColumnsMapper):
    """Maps every id to its log-odds of a click in train, minus the log-odds of all rows.

    An id with `n` rows and `k` clicks has the rate `(k + prior * mean) / (n + prior)`. The fewer
    rows it has, the closer the rate is to the mean. An unknown id adds nothing. This is target
    encoding: training learns one weight for each column, not one bias for each id.

    A training row gets rates from the rows of the other folds, so that its own label is not in its
    features. Rows with the same ids are spread over the folds, so that the rates in training are
    like those in prediction.

    AutoRec's own training (`train`, `Search`) tells each row's fold. Keras' `fit` cannot: it works
    after `adapt`, and only if no two training rows have the same ids. Otherwise it is refused.

    Args:
        vocabulary_sizes: Number of ids of each mapped column, "unknown" (id 0) included.
        columns: The mapped columns' places in the input, counted from 0; empty for all.
        prior: Number of rows with the mean rate that are added to each id's rows.

    Returns:
        Tensor of shape (batch_size, columns). Labels must be 0 or 1.

    References:
        [Micci-Barreca, 2001](https://doi.org/10.1145/507533.507538)
    """

    ADAPTED: ClassVar[tuple[str, ...]] = ("prior",)

    prior: float = choice(3.0, 10.0, 30.0, default=10.0, name="rate_prior", above=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the lookup on the one input of ids, shape (batch_size, columns)."""
        table = self.only(inputs)
        columns, sizes = self.picked(table), self.vocabulary_sizes
        ids = StackedIds(columns, sizes)(table)
        name = table._keras_history.operation.name
        return ClickRates(name, columns, sizes, self.prior)([table, ids])


@keras.saving.register_keras_serializable(package="autorec")
class ClickRates(keras.layers.Layer):
    """Looks up the log-odds that `adapt` computed; in training, those of the other folds' rows.

    A row's fold is a hash of all its ids and of the number of earlier rows with the same ids.
    `adapt` returns the folds, and the training engine passes each batch's folds in `of_rows`. In
    other training loops, only earlier rows of the same batch can be counted. That gives the right
    fold to rows whose ids occur once, and to a batch of all training rows in order. Any other batch
    is refused.

    Args:
        input_name: The model input that the ids come from.
        columns: The columns that are looked up, counted from 0.
        vocabulary_sizes: Number of ids of each of these columns.
        prior: Number of rows with the mean rate that are added to each id's rows.
    """

    def __init__(
        self,
        input_name: str,
        columns: Sequence[int],
        vocabulary_sizes: Sequence[int],
        prior: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_name = input_name
        self.columns = list(columns)
        self.vocabulary_sizes = list(vocabulary_sizes)
        self.prior = prior
        self.of_rows: Any = None
        self._adapted_to = 0
        self._ids_repeat = False

    def build(self, input_shape: Any) -> None:
        """Creates one table without each fold, and after them one of all rows."""
        self._rows = sum(self.vocabulary_sizes)
        self._factors = np.random.default_rng(0).integers(
            1, 2**31, size=input_shape[0][-1], dtype=np.int32
        )
        self.tables = self.add_weight(
            name="tables",
            shape=((FOLDS + 1) * self._rows,),
            initializer="zeros",
            trainable=False,
        )

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
        """Counts the rows and clicks of each id in each fold.

        Returns:
            The fold of each training row, uint8, shape (rows,), for `of_rows`.
        """
        table = np.asarray(inputs[self.input_name], np.int32)
        sums = (table * self._factors).sum(axis=1, dtype=np.int32)
        earlier = occurrences(sums)
        self._adapted_to, self._ids_repeat = len(sums), bool(earlier.any())
        shifts = SHIFTS[earlier % len(SHIFTS)]
        folds: np.ndarray = np.mod(sums // LOW_BITS + shifts, FOLDS)
        clicks = np.asarray(labels, np.float64)
        mean = float(np.clip(clicks.mean(), 1e-6, 1 - 1e-6))
        found = []
        for column, size in zip(self.columns, self.vocabulary_sizes, strict=True):
            places = folds * size + known_ids(table[:, column], size)
            shape, length = (FOLDS, size), FOLDS * size
            rows = np.bincount(places, minlength=length).reshape(shape)
            clicked = np.bincount(places, clicks, minlength=length).reshape(shape)
            every, none = rows.sum(axis=0), np.zeros((1, size))
            others = every - np.concatenate([rows, none])
            others_clicked = clicked.sum(axis=0) - np.concatenate([clicked, none])
            rates = (others_clicked + self.prior * mean) / (others + self.prior)
            found.append(np.log(rates / (1 - rates)) - np.log(mean / (1 - mean)))
        self.tables.assign(np.concatenate(found, axis=1).reshape(-1))
        return folds.astype("uint8")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps `[ids of all columns, stacked ids]` to log-odds, shape (batch_size, columns)."""
        table, ids = inputs
        if not training:
            return keras.ops.take(self.tables, ids + FOLDS * self._rows, axis=0)
        folds = self._folds_in(table) if self.of_rows is None else self.of_rows
        folds = keras.ops.cast(folds, "int32")[:, None]
        return keras.ops.take(self.tables, ids + folds * self._rows, axis=0)

    def _folds_in(self, batch: Any) -> Any:
        """Computes the folds of a batch's rows if `of_rows` does not give them.

        Raises:
            BlockError: They cannot be known.
        """
        if not self._adapted_to:
            raise BlockError(
                "RateMapper has no rates to train on. Train with `train` or `Search`, or call "
                "`adapt` before Keras' `fit`."
            )
        if self._ids_repeat and batch.shape[0] != self._adapted_to:
            raise BlockError(
                "RateMapper cannot be trained by Keras' `fit` here, because training rows have the "
                "same ids, and their own clicks would be in their rates. Train with `train` or "
                "`Search`."
            )
        sums = keras.ops.sum(batch * self._factors, axis=1)
        shifts = keras.ops.take(SHIFTS, occurrences_in_graph(sums) % len(SHIFTS), axis=0)
        return keras.ops.mod(keras.ops.floor_divide(sums, LOW_BITS) + shifts, FOLDS)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "input_name": self.input_name,
            "columns": self.columns,
            "vocabulary_sizes": self.vocabulary_sizes,
            "prior": self.prior,
        }


def occurrences(values: np.ndarray) -> np.ndarray:
    """Counts for each value how many equal values come before it, shape (values,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    counts = np.empty(len(values), np.int64)
    counts[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return counts


def occurrences_in_graph(values: Any) -> Any:
    """Does in TensorFlow what `occurrences` does, for an int32 tensor of shape (values,)."""
    order = tf.argsort(values, stable=True)
    ordered = tf.gather(values, order)
    counts = tf.range(tf.size(values)) - tf.searchsorted(ordered, ordered)
    return tf.gather(counts, tf.math.invert_permutation(order))
