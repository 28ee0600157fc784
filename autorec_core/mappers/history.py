"""The history mapper: maps a user to the items that they have rated, or an item to its users."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from autorec_core.block import bounded, choice
from autorec_core.mappers.base import Mapper

Pooling = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""A function that computes the same as `History.pooled`."""

PAIRS = 2**26
"""Up to this number of pairs of a key and a value, the histories are one table of all pairs.

A table is much faster to pool than lists."""
KEYS = 1024
"""How many histories `pool_all` pools at a time."""


@dataclass(frozen=True, kw_only=True)
class HistoryMapper(Mapper):
    """Maps an id to the sum of the vectors of the ids that it has met in the training rows.

    With users as keys and items as values, the output for user `u` is `sum_j y[j] / sqrt(n)` over
    the `n` items `j` that `u` has rated or clicked. The item of the row itself is left out;
    otherwise the vectors would learn to recognise training rows. This is the implicit feedback of
    SVD++. Items can also be the keys and users the values. The output for an id without a history
    is zero. The histories are taken from the training rows before training (`adapt` in
    `recommender.py`) and are saved with the model.

    Args:
        key_column: The position of the column whose histories are used, counted from 0.
        value_column: The position of the column with the ids in the histories.
        key_num: Number of ids of the key column, including "unknown" (id 0).
        value_num: Number of ids of the value column, including "unknown" (id 0).
        embedding_dim: Width of the vectors.
        l2: Weight of the squared norms of the vectors, summed over the whole table and divided by
            the number of training rows. All history mappers share this hyperparameter.
        max_length: The largest number of values kept for one key. From a longer history a random
            sample is kept. Only used if there are too many pairs for a table of all pairs.

    Returns:
        Tensor of shape (batch_size, embedding_dim).

    References:
        [Koren, 2008](https://doi.org/10.1145/1401890.1401944);
        both sides: [Rendle et al., 2019](https://arxiv.org/abs/1905.01395)
    """

    ADAPTED: ClassVar[tuple[str, ...]] = ("l2",)
    THESIS: ClassVar[Mapping[str, Any]] = {"l2": 0.0}

    key_column: int = bounded(least=0)
    value_column: int = bounded(least=0)
    key_num: int = bounded(least=1)
    value_num: int = bounded(least=1)
    embedding_dim: int = choice(8, 16, 32, 64, 128, default=32, least=1)
    l2: float = choice(10.0, 30.0, default=30.0, name="history_l2", least=0)
    max_length: int = bounded(300, least=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the pooling on the one input of ids, shape (batch_size, columns)."""
        return self.pooled(inputs, History)

    def pooled(self, inputs: Sequence[Any], layer: type[History]) -> Any:
        """Builds a layer of this kind with this block's fields, on the one input of ids."""
        table = self.only(inputs)
        return layer(
            input_name=table._keras_history.operation.name,
            key_column=self.has_column(table, "key_column"),
            value_column=self.has_column(table, "value_column"),
            key_num=self.key_num,
            value_num=self.value_num,
            dim=self.embedding_dim,
            l2=self.l2,
            max_length=self.max_length,
        )(table)


@keras.saving.register_keras_serializable(package="autorec")
class History(keras.layers.Layer):
    """Pools the vectors of the values that the key of a row has met in the training rows.

    `pooled` uses only TensorFlow, so it can be exported, but it is slow. While `pooling` is set,
    the layer calls that function instead.

    Args:
        input_name: The name of the model input that has both columns.
        key_column: The position of the key in this input.
        value_column: The position of the value in this input.
        key_num: Number of ids of the key.
        value_num: Number of ids of the value.
        dim: Width of the vectors.
        l2: Weight of the squared norm of the table, divided by the number of training rows.
        max_length: The largest number of values kept for one key.
    """

    def __init__(
        self,
        *,
        input_name: str,
        key_column: int,
        value_column: int,
        key_num: int,
        value_num: int,
        dim: int,
        l2: float,
        max_length: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_name = input_name
        self.key_column = key_column
        self.value_column = value_column
        self.key_num = key_num
        self.value_num = value_num
        self.dim = dim
        self.l2 = l2
        self.max_length = max_length
        self.pooling: Pooling | None = None

    @property
    def paired(self) -> bool:
        """Whether the histories are a table of all pairs, with a bit for each pair."""
        return self.key_num * self.value_num <= PAIRS

    def build(self, input_shape: Any) -> None:
        """Creates the vectors, shape (value_num, dim), and the weights that hold the histories."""
        self.vectors = self.add_weight(
            name="vectors",
            shape=(self.value_num, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.01),
        )
        self.histories = self.add_weight(
            name="histories",
            shape=(self.key_num, -(-self.value_num // 8) if self.paired else self.max_length),
            dtype="uint8" if self.paired else "int32",
            initializer="zeros",
            trainable=False,
        )
        self.lengths = self.add_weight(
            name="lengths", shape=(self.key_num,), initializer="zeros", trainable=False
        )
        self.penalty = self.add_weight(name="penalty", initializer="zeros", trainable=False)

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Takes the histories from the training rows.

        Args:
            inputs: The rows by the name of the model input.
            labels: Not used. The feedback is that a user has met an item.
        """
        table = inputs[self.input_name]
        keys, values = (table[:, at].astype("int64") for at in (self.key_column, self.value_column))
        if self.paired:
            histories = all_pairs(keys, values, self.key_num, self.value_num)
            self.histories.assign(np.packbits(histories, axis=1, bitorder="little"))
        else:
            histories = padded_histories(keys, values, self.key_num, self.max_length)
            self.histories.assign(histories)
        self.lengths.assign((histories > 0).sum(axis=1))
        self.penalty.assign(self.l2 / max(len(keys), 1))

    def met(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the pairs of a key and a value in the histories, each once, ordered by key.

        Returns:
            Keys, values, and the float32 weight of each value in the history of its key.
        """
        histories = self._table()
        keys, places = np.nonzero(histories)
        values = places if self.paired else histories[keys, places]
        return keys, values, self._weights_at(keys, places)

    def _table(self) -> np.ndarray:
        """Returns the histories: 1 and 0 for all pairs, or a padded list of each key."""
        with tf.init_scope():  # works also while a graph is being built
            histories = self.histories.value.numpy()
        if not self.paired:
            return np.asarray(histories)
        return np.unpackbits(histories, axis=1, count=self.value_num, bitorder="little")

    def _weights_at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Returns the weights of cells of `histories` that hold a value."""
        return np.ones(len(rows), np.float32)

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, columns) to (batch_size, dim)."""
        key, own = inputs[:, self.key_column], inputs[:, self.value_column]
        vectors = tf.convert_to_tensor(self.vectors)
        met = tf.cast(self._have_met(key, own), vectors.dtype)
        mine = self._own_weight(key, own, met)
        others = (self.pooling or self.pooled)(key, own, mine, vectors)
        if self.l2:
            self.add_loss(2 * self.penalty * tf.nn.l2_loss(vectors))
        number = tf.gather(tf.convert_to_tensor(self.lengths), key) - met
        return others * tf.math.rsqrt(tf.maximum(number, 1))[:, None]

    def pooled(
        self, key: tf.Tensor, own: tf.Tensor, mine: tf.Tensor, vectors: tf.Tensor
    ) -> tf.Tensor:
        """Sums the vectors of all values that the key of each row has met, without its own value.

        Args:
            key: The key of each row, shape (rows,).
            own: The value of each row, shape (rows,).
            mine: The weight of the value in the history of the key, 0 if they have not met, shape
                (rows,).
            vectors: The table, shape (value_num, dim).

        Returns:
            Tensor of shape (rows, dim).
        """
        keys, place = tf.unique(key)
        total = tf.gather(self._sums(keys, vectors), place)
        return total - mine[:, None] * tf.gather(vectors, own)

    def pool_all(self) -> tf.Tensor:
        """Sums the vectors of all values that each key has met, shape (key_num, dim)."""
        vectors = tf.convert_to_tensor(self.vectors)
        parts = [
            self._sums(tf.range(first, min(first + KEYS, self.key_num)), vectors)
            for first in range(0, self.key_num, KEYS)
        ]
        return tf.concat(parts, axis=0)

    def _sums(self, keys: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        """Sums the vectors of all values that each of the given keys has met, shape (keys, dim)."""
        if self.paired:
            return tf.matmul(tf.cast(self._pair_weights(keys), vectors.dtype), vectors)
        history = tf.gather(tf.convert_to_tensor(self.histories), keys)
        there = tf.where(history > 0)
        looked_up = self._weighted(tf.gather(vectors, tf.gather_nd(history, there)), keys, there)
        return tf.math.unsorted_segment_sum(looked_up, there[:, 0], tf.size(keys))

    def _pair_weights(self, keys: tf.Tensor) -> tf.Tensor:
        """Returns the weight of each value in the histories of keys, shape (keys, value_num)."""
        packed = tf.gather(tf.convert_to_tensor(self.histories), keys)
        bits = tf.bitwise.right_shift(packed[:, :, None], np.arange(8, dtype=np.uint8)[None, None])
        bits = tf.bitwise.bitwise_and(bits, tf.ones([], tf.uint8))
        flat = tf.reshape(bits, [tf.size(keys), -1])
        return flat[:, : self.value_num]

    def _weighted(self, vectors: tf.Tensor, keys: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        """Multiplies vectors by their weights, where `histories` is a list for each key.

        Args:
            vectors: The vectors of the values, shape (values, dim).
            keys: The keys, shape (keys,).
            there: Which cell of the keys' lists each value is from, shape (values, 2).
        """
        return vectors

    def _own_weight(self, key: tf.Tensor, own: tf.Tensor, met: tf.Tensor) -> tf.Tensor:
        """Returns the weight of each row's value in the history of its key, shape (rows,)."""
        return met

    def _have_met(self, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Returns whether the key of each row has met its value, as booleans or 1 and 0."""
        histories = tf.convert_to_tensor(self.histories)
        if self.paired:
            packed = tf.gather_nd(histories, tf.stack([keys, values // 8], axis=1))
            bit = tf.bitwise.right_shift(packed, tf.cast(values % 8, tf.uint8))
            return tf.bitwise.bitwise_and(bit, tf.ones([], tf.uint8))
        same = tf.gather(histories, keys) == values[:, None]
        return tf.reduce_any(same & (values > 0)[:, None], 1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Returns (batch_size, dim)."""
        return (input_shape[0], self.dim)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = (
            "input_name",
            "key_column",
            "value_column",
            "key_num",
            "value_num",
            "dim",
            "l2",
            "max_length",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@contextmanager
def pooled_once(model: keras.Model) -> Iterator[None]:
    """Makes the history layers of `model` look up pooled histories while a graph is built from it.

    The graph must not be used after the weights have changed. It does not pool the histories again
    for each batch; for a batch with all items this would cost more than everything else. Unlike
    sparse pooling (`training/histories.py`) it calls no Python.

    Args:
        model: Any Keras model; history layers inside other layers are found too.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, History)]
    try:
        for layer in layers:
            layer.pooling = _looked_up(layer.pool_all())
        yield
    finally:
        for layer in layers:
            layer.pooling = None


def _looked_up(total: tf.Tensor) -> Pooling:
    """Returns a function like `History.pooled` that uses the sums of all keys."""

    def pooled(key: tf.Tensor, own: tf.Tensor, mine: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        return tf.gather(total, key) - mine[:, None] * tf.gather(vectors, own)

    return pooled


def all_pairs(keys: np.ndarray, values: np.ndarray, key_num: int, value_num: int) -> np.ndarray:
    """Returns which keys have met which values. Id 0 (unknown) has met nothing.

    Args:
        keys: int64, shape (rows,).
        values: int64, shape (rows,).
        key_num: Number of ids of the key.
        value_num: Number of ids of the value.

    Returns:
        uint8, 1 for a pair that has met, shape (key_num, value_num).
    """
    met = np.zeros((key_num, value_num), np.uint8)
    met[keys, values] = 1
    met[0, :] = met[:, 0] = 0
    return met


def padded_histories(
    keys: np.ndarray, values: np.ndarray, key_num: int, max_length: int
) -> np.ndarray:
    """Returns the values that each key has met, each once, padded with 0.

    Args:
        keys: int64, shape (rows,). Id 0 (unknown) has no history.
        values: int64, shape (rows,). Id 0 is not part of a history.
        key_num: Number of ids of the key.
        max_length: The largest number of values for one key. From more values a sample is drawn
            with a fixed seed.

    Returns:
        int32, shape (key_num, max_length).
    """
    pairs = np.unique(np.stack([keys, values], axis=1)[(keys > 0) & (values > 0)], axis=0)
    pairs = np.random.default_rng(0).permutation(pairs)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    rank = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
    kept = rank < max_length
    histories = np.zeros((key_num, max_length), np.int32)
    histories[pairs[kept, 0], rank[kept]] = pairs[kept, 1]
    return histories
