"""Embedding tables whose cost does not grow with the vocabulary.

Keras' Embedding reads its whole table at every call, and Keras' Adam writes all of it at every
step. Here a batch's distinct rows are fetched once, the model looks its vectors up among these few,
and the optimizer reads and writes those rows alone.

For that, an embedding layer has to do something else than its `call` while a graph is built from
the model. The layers are Keras' own, in any model and anywhere inside it, so a subclass of ours
would miss some, and saved models would need it to load. `_replaced_calls` is the one place that
puts another `call` in front of a layer's own. It sets an attribute of that one layer object, for
the time that the graph is traced; a graph that was built keeps what it has traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Fetched:
    """Rows of one table that a batch looks up.

    Args:
        table: The table, shape (ids, dim).
        ids: The rows' numbers, each once, shape (distinct,).
        rows: The rows themselves, shape (distinct, dim).
    """

    table: tf.Variable
    ids: tf.Tensor
    rows: tf.Tensor


@dataclass
class Lookups:
    """What a model has fetched from its tables while one graph was built.

    Args:
        tape: Watches the fetched rows, where gradients are wanted.
    """

    tape: tf.GradientTape | None = None
    fetched: list[Fetched] = field(default_factory=list)

    def vectors(self, table: tf.Variable, ids: tf.Tensor, *, trained: bool) -> tf.Tensor:
        """The rows of `table`, shape (ids, dim), that `ids` of any shape point at."""
        if self.tape is None or not trained:
            return table.sparse_read(ids)
        distinct, place = tf.unique(tf.reshape(ids, [-1]))
        with self.tape.stop_recording():  # the gradient goes to the rows, not on to the table
            rows = table.sparse_read(distinct)
        self.tape.watch(rows)
        self.fetched.append(Fetched(table, distinct, rows))
        return tf.gather(rows, tf.reshape(place, tf.shape(ids)))


@contextmanager
def row_reads(model: keras.Model, tape: tf.GradientTape | None = None) -> Iterator[Lookups]:
    """Lets the embedding layers of `model` fetch single rows, while a graph is built from it.

    Args:
        model: Any Keras model; embedding layers inside other layers are found too.
        tape: The tape that gradients with respect to the rows will be asked from.
    """
    lookups = Lookups(tape)
    layers = [layer for layer in model._flatten_layers() if _is_plain_embedding(layer)]
    with _replaced_calls({layer: _reading_rows(layer, lookups) for layer in layers}):
        yield lookups


@contextmanager
def _replaced_calls(
    calls: Mapping[keras.layers.Layer, Callable[[Any], Any]],
) -> Iterator[None]:
    """Puts another `call` in front of each layer's own, and takes it away in the end.

    Args:
        calls: What a layer does instead.

    Raises:
        RuntimeError: A layer's call is replaced already, by another graph that is being built.
    """
    if busy := [layer.name for layer in calls if "call" in vars(layer)]:
        raise RuntimeError(
            f"The layers {', '.join(busy)} are part of another graph that is being built now."
        )
    for layer, call in calls.items():
        layer.call = call
    try:
        yield
    finally:
        for layer in calls:
            del layer.call


def _is_plain_embedding(layer: keras.layers.Layer) -> bool:
    embedding = keras.layers.Embedding
    return (
        isinstance(layer, embedding)
        and type(layer).call is embedding.call
        and not layer.lora_enabled
        and not layer.quantization_mode
    )


def _reading_rows(layer: keras.layers.Embedding, lookups: Lookups) -> Callable[[Any], Any]:
    def call(inputs: Any) -> Any:
        ids = inputs if inputs.dtype in (tf.int32, tf.int64) else tf.cast(inputs, tf.int32)
        vectors = lookups.vectors(layer.embeddings.value, ids, trained=layer.embeddings.trainable)
        return keras.ops.cast(vectors, layer.compute_dtype)

    return call


def summed_by_row(gradient: tf.IndexedSlices) -> tuple[tf.Tensor, tf.Tensor]:
    """The row numbers of a sparse gradient, each once, and the sum of each row's gradients."""
    distinct, place = tf.unique(gradient.indices)
    return distinct, _sums(gradient.values, place, tf.size(distinct))


def summed_in_place(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    """The gradient of fetched rows with one line for each of them, shape (distinct, dim)."""
    if not isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    return _sums(gradient.values, gradient.indices, gradient.dense_shape[0])


def _sums(values: tf.Tensor, place: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Sums of the values of each place, in their order, shape (count, ...).

    Of TensorFlow's three ways to the same bits, the fastest one for the width: on a processor the
    segment sum takes 2.5 times the sparse product's time for 16 numbers a row, and half for one.
    """
    width = values.shape[-1]
    if width == 1 or values.shape.rank != 2:
        return tf.math.unsorted_segment_sum(values, place, count)
    if width is None or width >= 32:
        shape = tf.stack([count, tf.shape(values)[-1]])
        return tf.scatter_nd(place[:, None], values, shape)
    place, rows = tf.cast(place, tf.int64), tf.size(place, out_type=tf.int64)
    return tf.raw_ops.SparseTensorDenseMatMul(
        a_indices=tf.stack([place, tf.range(rows)], axis=1),
        a_values=tf.ones([rows], values.dtype),
        a_shape=tf.stack([tf.cast(count, tf.int64), rows]),
        b=values,
    )
