"""Predictions and metrics of a model, exactly equal every time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autorec_core.metrics import task_metrics
from autorec_core.training.histories import sparse_histories
from autorec_core.training.rows import Rows
from autorec_core.training.tables import row_reads

# Fixed, because a matrix product may be rounded differently with another number of rows.
PREDICTION_ROWS = 4096
_CHUNK_ROWS = 64 * PREDICTION_ROWS


class Predictor:
    """Predicts with one model, compiled once.

    Args:
        model: A Keras model with one output, shape (batch_size, 1).
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._run = tf.function(self._over_batches, autograph=False)
        self._compiled: Any = None

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns float32 predictions, shape (rows,), for arrays by input name."""
        rows = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, rows, _CHUNK_ROWS):
            chunk = {
                name: tf.convert_to_tensor(np.asarray(array[start : start + _CHUNK_ROWS]))
                for name, array in inputs.items()
            }
            if self._compiled is None:
                self._compiled = self._run.get_concrete_function(any_number_of(chunk))
            parts.append(self._compiled(chunk).numpy())
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _over_batches(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        rows = tf.shape(next(iter(inputs.values())))[0]
        steps = (rows + PREDICTION_ROWS - 1) // PREDICTION_ROWS

        def body(step: tf.Tensor, outputs: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            start = step * PREDICTION_ROWS
            batch = {
                name: tensor[start : start + PREDICTION_ROWS] for name, tensor in inputs.items()
            }
            with row_reads(self._model), sparse_histories(self._model):
                predicted = self._model(model_inputs(self._model, batch), training=False)
            return step + 1, outputs.write(step, tf.reshape(predicted, [-1]))

        outputs = tf.TensorArray(
            tf.float32, size=steps, infer_shape=False, element_shape=tf.TensorShape([None])
        )
        _, outputs = tf.while_loop(lambda step, _: step < steps, body, (tf.constant(0), outputs))
        return outputs.concat()


def predict(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns float32 predictions of `model`, shape (rows,), for arrays by input name."""
    return Predictor(model)(inputs)


def evaluate(model: keras.Model, rows: Rows, task: str) -> dict[str, float]:
    """Returns all metrics of `model` on `rows`; the task is "rating" or "ctr"."""
    return task_metrics(task, rows.labels, predict(model, rows.inputs))


def any_number_of(tensors: Any) -> Any:
    """Returns the specs of tensors of shape (rows, ...), for a graph with any number of rows."""
    return tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), tensors
    )


def model_inputs(model: keras.Model, tensors: Mapping[str, tf.Tensor]) -> Any:
    """Returns named tensors in the structure that `model` needs as its input."""
    cast = {
        node.name: tf.cast(tensors[node.name], node.dtype)
        for node in model.inputs
        if node.name in tensors
    }
    if len(model.inputs) == 1:
        return next(iter(cast.values()))
    return cast
