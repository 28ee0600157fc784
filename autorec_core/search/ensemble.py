"""Ensembles: which trials to average, and the mean of several models as one model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autorec_core.metrics import Metric
from autorec_core.recommender import Recommender

if TYPE_CHECKING:
    import keras

_CALLS = 30


def select(
    metric: Metric, labels: np.ndarray, predictions: Sequence[np.ndarray], most: int
) -> list[int]:
    """Selects models whose mean prediction is best on the valid rows, greedily with replacement.

    Each step adds the model with which the mean is best. A model may be added again, so that its
    weight grows. The result is the best of all these means.

    Args:
        metric: Compares the means.
        labels: The labels of the valid rows, shape (rows,).
        predictions: The predictions of each model, best model first; of equals the first is taken.
        most: The number of steps.

    Returns:
        The places of the models, in the order in which they were added. The first is 0.

    References:
        [Caruana et al., 2004](https://doi.org/10.1145/1015330.1015432)
    """
    chosen = [0]
    total = np.asarray(predictions[0], np.float64)
    scores = [metric(labels, total)]
    while len(chosen) < most:
        means = [(total + one) / (len(chosen) + 1) for one in predictions]
        found = [metric(labels, mean) for mean in means]
        best = found.index(metric.best(found))
        chosen.append(best)
        total = total + predictions[best]
        scores.append(found[best])
    return chosen[: scores.index(metric.best(scores)) + 1]


def one_row_ms(model: keras.Model) -> float:
    """Measures how long a model takes for one row: the median of several calls, milliseconds."""
    import tensorflow as tf

    inputs = {
        tensor.name: tf.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs
    }
    rows = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    call = tf.function(lambda: model(rows, training=False))
    call()
    took = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def averaged(models: Sequence[keras.Model], recommender: Recommender) -> keras.Model:
    """Makes one compiled Keras model that predicts the mean of several models' predictions.

    Args:
        models: Models with inputs by name and one output of shape (batch_size, 1). They become
            layers of the new one.
        recommender: Says how the new one is compiled.
    """
    import keras

    if len(models) == 1:
        return models[0]
    inputs: dict[str, Any] = {}
    outputs = []
    for place, model in enumerate(models):
        # A compiled member would store its own optimizer, and loading it would print a warning.
        member = keras.Model(model.input, model.output, name=f"candidate_{place}")
        for tensor in member.inputs:
            name, shape = tensor.name, tensor.shape[1:]
            if name not in inputs:
                inputs[name] = keras.Input(shape, name=name, dtype=tensor.dtype)
        own = {tensor.name: inputs[tensor.name] for tensor in member.inputs}
        outputs.append(member(own if len(own) > 1 else next(iter(own.values()))))
    mean = keras.layers.Average(name="mean_prediction")(outputs)
    whole = keras.Model(inputs if len(inputs) > 1 else next(iter(inputs.values())), mean)
    whole.compile(
        optimizer=recommender.training.keras_optimizer(),
        loss=recommender.optimizer.loss(),
        metrics=recommender.optimizer.metrics(),
    )
    return whole
