"""Pools histories with sparse products, so that the cost depends only on the pairs that occur.

On its own, a history layer multiplies by a table of all pairs, in which only a few percent are not
zero, or adds up the rows of lists. The sparse products of TensorFlow are hardly faster: they take
14 to 90 ns for a row of 32 numbers. Those of SciPy take 6 ns, so they are used here. A graph that
calls Python cannot be exported, so this is done only in the graphs of the training engine.
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
    """Makes the history layers of `model` pool with sparse products while a graph is built from it.

    The graph keeps the histories of this moment and does not see a later call of `adapt`. On a GPU
    the layers pool on their own.

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
    """Computes pooled histories and their gradient with sparse products.

    Args:
        layer: The layer, after `adapt`.
    """

    def __init__(self, layer: History) -> None:
        keys, values, weights = layer.met()
        shape = (layer.key_num, layer.value_num)
        self._met = csr_array((weights, (keys, values)), shape=shape)
        self._last: _Batch | None = None

    def __call__(
        self, key: tf.Tensor, own: tf.Tensor, mine: tf.Tensor, vectors: tf.Tensor
    ) -> tf.Tensor:
        """Does the same as `History.pooled`."""
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
        """Returns the histories of a batch. For the gradient, the last batch is used again."""
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
        ids: The different ids, sorted.
        place: For each row the place of its id in `ids`, shape (rows,).
        order: The row numbers, with the rows of each id together.
        starts: For each id the place in `order` where its rows begin.
    """

    ids: np.ndarray
    place: np.ndarray
    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray) -> Self:
        """Groups rows by their ids, shape (rows,)."""
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        first = np.ones(len(ids), bool)
        first[1:] = ordered[1:] != ordered[:-1]
        place = np.empty(len(ids), np.intp)
        place[order] = np.cumsum(first) - 1
        starts = np.flatnonzero(first)
        return cls(ordered[starts], place, order, starts)

    def sums(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the sum of the rows of each id, shape (ids, ...)."""
        return np.add.reduceat(numbers[self.order], self.starts, axis=0)


@dataclass(frozen=True)
class _Batch:
    """The histories of a batch.

    Args:
        key: The keys of the rows, shape (rows,).
        keys: The rows grouped by key.
        met: The weight of each value in the history of a key, shape (different keys, value_num).
    """

    key: np.ndarray
    keys: Groups
    met: csr_array


def _in_python(
    function: Callable[..., np.ndarray], rows: Sequence[tf.Tensor], numbers: tf.Tensor, shape: Any
) -> tf.Tensor:
    """Calls a Python function of float32 arrays. Returns a tensor with the type of `numbers`."""
    given = [*rows, tf.cast(numbers, tf.float32)]
    found = tf.numpy_function(function, given, tf.float32, stateful=False)
    found.set_shape(shape)
    return tf.cast(found, numbers.dtype)
