"""Task optimizers: the end of every chain, which scales the output and fixes the loss.

Given several nodes, each is brought to one number a row (a tensor of width 1 as it is, a wider one
by a linear layer) and the numbers are added to a global offset: DeepFM's FM tower plus its MLP
tower is the list of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import Block


@keras.saving.register_keras_serializable(package="autorec")
class Offset(keras.layers.Layer):
    """Adds one trained number, which `adapt` sets to the training rows' mean before training.

    Args:
        logit: Whether the mean is a click rate, to be added as its logit.
    """

    def __init__(self, *, logit: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.logit = logit

    def build(self, input_shape: Any) -> None:
        """Makes the offset's weight."""
        self.offset = self.add_weight(name="offset", shape=(), initializer="zeros")

    def adapt(self, inputs: Any, labels: Any) -> None:
        """Sets the offset to the mean of `labels`, shape (rows,)."""
        import numpy as np

        mean = float(np.mean(labels, dtype=np.float64))
        if self.logit:
            mean = min(max(mean, 1e-6), 1 - 1e-6)
            mean = float(np.log(mean / (1 - mean)))
        self.offset.assign(mean)

    def call(self, inputs: Any) -> Any:
        """`inputs` of any shape, plus the offset."""
        return inputs + self.offset

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "logit": self.logit}


@dataclass(frozen=True, kw_only=True)
class TaskOptimizer(Block):
    """What the two tasks share: how several nodes become one number a row."""

    task: ClassVar[str] = ""
    objective: ClassVar[str] = ""
    probability: ClassVar[bool] = False

    def connect(self, inputs: Sequence[Any]) -> Any:
        """The task's output, shape (batch_size, 1), from tensors of any rank of at least 2."""
        heads = [self._head(tensor) for tensor in inputs]
        total = heads[0] if len(heads) == 1 else keras.layers.Add()(heads)
        score = Offset(logit=self.probability, name="score")(total)
        if self.probability:
            return keras.layers.Activation("sigmoid", name="click_probability")(score)
        return score

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of the task's output."""
        raise NotImplementedError(f"{type(self).__name__} names no loss.")

    def metrics(self) -> list[keras.metrics.Metric]:
        """The Keras metrics that a compiled model reports beside its loss."""
        raise NotImplementedError(f"{type(self).__name__} names no metrics.")

    def _head(self, tensor: Any) -> Any:
        flat = tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor)
        return flat if flat.shape[-1] == 1 else keras.layers.Dense(1, use_bias=False)(flat)


@dataclass(frozen=True, kw_only=True)
class RatingPredictionOptimizer(TaskOptimizer):
    """Rating prediction: a number a row, trained on the mean squared error.

    The output is linear: the thesis' ReLU on a rating dies where it meets zero.
    """

    task: ClassVar[str] = "rating"
    objective: ClassVar[str] = "val_mse"

    def loss(self) -> keras.losses.Loss:
        """Mean squared error."""
        return keras.losses.MeanSquaredError(name="mse")

    def metrics(self) -> list[keras.metrics.Metric]:
        """MSE without the regularisation that the training loss carries."""
        return [keras.metrics.MeanSquaredError(name="mse")]


@dataclass(frozen=True, kw_only=True)
class CTRPredictionOptimizer(TaskOptimizer):
    """Click-through rate prediction: a probability a row, trained on the binary cross entropy."""

    task: ClassVar[str] = "ctr"
    objective: ClassVar[str] = "val_ce"
    probability: ClassVar[bool] = True

    def loss(self) -> keras.losses.Loss:
        """The full binary cross entropy."""
        return keras.losses.BinaryCrossentropy(name="ce")

    def metrics(self) -> list[keras.metrics.Metric]:
        """Cross entropy without regularisation, and the area under the ROC curve."""
        return [
            keras.metrics.BinaryCrossentropy(name="ce"),
            keras.metrics.AUC(name="auc", num_thresholds=1000),
        ]
