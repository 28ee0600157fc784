"""Histories pooled at the cost of what was met, not of all pairs of a key and a value.

By itself a history layer multiplies by a table of all pairs, of which a few in a hundred are not
zero, or adds up rows of lists. TensorFlow has no sparse product that is much faster: its sparse
kernels take 14 to 90 ns for a row of 32 numbers. SciPy's take 6, so they do the work here. A graph
that calls Python cannot be exported, so layers do this only in graphs of the training engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse import csr_array

from autorec_core.mappers.history import History


@contextmanager
def sparse_histories(model: keras.Model) -> Iterator[None]:
    """Lets the history layers of `model` pool sparsely, while a graph is built from it.

    The graph keeps the histories of this moment: what `adapt` takes later, it does not see. Where
    there is a GPU, the layers stay there and pool by themselves.

    Args:
        model: Any Keras model; history layers inside other layers are found too.
    """
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    found = [] if on_gpu else [one for one in model._flatten_layers() if isinstance(one, History)]
    for layer in found:
        layer.pooling = SparsePooling(layer)
    try:
        yield
    finally:
        for layer in found:
            layer.pooling = None


class SparsePooling:
    """The sums of the vectors that keys have met, and their gradient, by sparse products.

    Args:
        layer: The layer, its histories taken.
    """

    def __init__(self, layer: History) -> None:
        keys, values, weights = layer.met()
        shape = (layer.key_num, layer.value_num)
        self._met = csr_array((weights, (keys, values)), shape=shape)
        self._last: _Batch | None = None

    def __call__(
        self, key: tf.Tensor, own: tf.Tensor, mine: tf.Tensor, vectors: tf.Tensor
    ) -> tf.Tensor:
        """As `History.pooled`."""
        rows = [tf.cast(key, tf.int32), tf.cast(own, tf.int32), tf.cast(mine, tf.float32)]

        def pooled(table: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return _in_python(self._spread, rows, upstream, table.shape)

            return _in_python(self._sums, rows, table, [key.shape[0], table.shape[1]]), gradient

        return tf.custom_gradient(pooled)(vectors)

    def _sums(
        self, key: np.ndarray, own: np.ndarray, mine: np.ndarray, vectors: np.ndarray
    ) -> np.ndarray:
        batch = self._batch(key, own)
        total = batch.met @ vectors
        return np.asarray(total[batch.keys.place] - mine[:, None] * vectors[own])

    def _spread(
        self, key: np.ndarray, own: np.ndarray, mine: np.ndarray, gradients: np.ndarray
    ) -> np.ndarray:
        batch = self._batch(key, own)
        found: np.ndarray = batch.met.T @ batch.keys.sums(gradients)
        values = Groups.of(own)
        found[values.ids] -= values.sums(mine[:, None] * gradients)
        return found

    def _batch(self, key: np.ndarray, own: np.ndarray) -> _Batch:
        """The histories of a batch; the gradient meets the batch that was pooled just before."""
        for ids, size in zip((key, own), self._met.shape, strict=True):
            outside = ids[(ids < 0) | (ids >= size)]
            if len(outside):
                raise ValueError(
                    f"id {outside[0]} is not in the histories, which have the ids 0 to {size - 1}."
                )
        last = self._last
        if last is not None and np.array_equal(last.key, key):
            return last
        keys = Groups.of(key)
        batch = _Batch(key.copy(), keys, self._met[keys.ids])
        self._last = batch
        return batch


@dataclass(frozen=True)
class Groups:
    """Rows grouped by an id.

    Args:
        ids: The distinct ids, in rising order.
        place: Which of them is each row's, shape (rows,).
        order: The rows, those of one id together.
        starts: Where in this order each id's rows begin.
    """

    ids: np.ndarray
    place: np.ndarray
    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray) -> Self:
        """The groups of the rows' ids, shape (rows,)."""
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        first = np.ones(len(ids), bool)
        first[1:] = ordered[1:] != ordered[:-1]
        place = np.empty(len(ids), np.intp)
        place[order] = np.cumsum(first) - 1
        starts = np.flatnonzero(first)
        return cls(ordered[starts], place, order, starts)

    def sums(self, numbers: np.ndarray) -> np.ndarray:
        """The sum of each id's rows, shape (ids, ...)."""
        return np.add.reduceat(numbers[self.order], self.starts, axis=0)


@dataclass(frozen=True)
class _Batch:
    """What the keys of a batch have met.

    Args:
        key: The rows' keys, shape (rows,).
        keys: The rows by key.
        met: The weight of each value in the history of a distinct key, shape (distinct, value_num).
    """

    key: np.ndarray
    keys: Groups
    met: csr_array


def _in_python(
    function: Callable[..., np.ndarray], rows: Sequence[tf.Tensor], numbers: tf.Tensor, shape: Any
) -> tf.Tensor:
    """What a function of float32 arrays gives, as a tensor of the numbers' own type."""
    given = [*rows, tf.cast(numbers, tf.float32)]
    found = tf.numpy_function(function, given, tf.float32, stateful=False)
    found.set_shape(shape)
    return tf.cast(found, numbers.dtype)
