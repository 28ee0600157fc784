"""Task optimizers: the end of every chain, which scales the output and fixes the loss.

Given several nodes, each is brought to one number a row, and the numbers are added to a global
offset: DeepFM's FM tower plus its MLP tower is the list of the two. What is a part of the score
already (`autorec_core.block.is_score`) is added as it is; everything else gets trained weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from autorec_core.block import Block, bounded, holds_ids, is_score
from autorec_core.errors import BlockError

USUAL_WIDTHS = (0.5, 20.0)
"""Ratings on scales between these need no scaling: stars from 1 to 5, points from 0 to 10."""


@keras.saving.register_keras_serializable(package="autorec")
class Offset(keras.layers.Layer):
    """Adds one trained number, which `adapt` sets to the training rows' mean before training.

    Args:
        span: The range into which a sigmoid will put the sum afterwards; the mean is then added as
            the number that the sigmoid turns into it. None where no sigmoid follows.
        scaled: Whether the sum is multiplied by the labels' standard deviation, so that minutes,
            cents or thousandths are learned as stars are. Training then divides the loss by its
            square, for regularisation to weigh the same.
    """

    def __init__(
        self, *, span: Sequence[float] | None = None, scaled: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.span = None if span is None else list(span)
        self.scaled = scaled

    def build(self, input_shape: Any) -> None:
        """Makes the offset's weight, and the scale's, which is not trained."""
        self.offset = self.add_weight(name="offset", shape=(), initializer="zeros")
        if self.scaled:
            self.scale = self.add_weight(
                name="scale", shape=(), initializer="ones", trainable=False
            )

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Sets the offset to the mean of `labels`, shape (rows,), and the scale to their spread."""
        mean = float(np.mean(labels, dtype=np.float64))
        if self.span is not None:
            low, high = self.span
            share = min(max((mean - low) / (high - low), 1e-6), 1 - 1e-6)
            mean = float(np.log(share / (1 - share)))
        if self.scaled:
            scale = float(np.std(labels, dtype=np.float64)) or 1.0
            self.scale.assign(scale)
            mean /= scale
        self.offset.assign(mean)

    def call(self, inputs: Any) -> Any:
        """`inputs` of any shape, plus the offset."""
        total = inputs + self.offset
        return total * self.scale if self.scaled else total

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "span": self.span, "scaled": self.scaled}


@keras.saving.register_keras_serializable(package="autorec")
class NoScore(keras.layers.Layer):
    """Zero for every row: the score where nothing about a row counts."""

    def call(self, inputs: Sequence[Any]) -> Any:
        """The model's inputs, of shape (batch_size, ...), to zeros of shape (batch_size, 1)."""
        return keras.ops.zeros((keras.ops.shape(inputs[0])[0], 1))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(batch_size, 1)."""
        return (input_shape[0][0], 1)


@keras.saving.register_keras_serializable(package="autorec")
class IntoRange(keras.layers.Layer):
    """Keeps predictions inside the range of the labels.

    Args:
        low: The least label.
        high: The greatest label.
        smooth: Whether a sigmoid maps every number into the range. If not, numbers outside are
            clipped, and only when predicting: a clipped number would have no gradient.
    """

    def __init__(self, low: float, high: float, smooth: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low = low
        self.high = high
        self.smooth = smooth

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Numbers of any shape to numbers of the same shape."""
        if self.smooth:
            return self.low + (self.high - self.low) * keras.ops.sigmoid(inputs)
        return inputs if training else keras.ops.clip(inputs, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "low": self.low,
            "high": self.high,
            "smooth": self.smooth,
        }


@dataclass(frozen=True, kw_only=True)
class TaskOptimizer(Block):
    """What the two tasks share: how several nodes become one number a row."""

    task: ClassVar[str] = ""
    objective: ClassVar[str] = ""
    probability: ClassVar[bool] = False

    def connect(self, inputs: Sequence[Any]) -> Any:
        """The task's output, shape (batch_size, 1), from tensors of any rank of at least 2."""
        if not inputs:
            raise BlockError(f"{type(self).__name__} is called on at least one tensor.")
        heads = [self._head(tensor) for tensor in inputs]
        total = heads[0] if len(heads) == 1 else keras.layers.Add()(heads)
        return self.output(total)

    def output(self, total: Any) -> Any:
        """The prediction from the sum of the heads, both of shape (batch_size, 1)."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it predicts.")

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of the task's output."""
        raise NotImplementedError(f"{type(self).__name__} names no loss.")

    def metrics(self) -> list[keras.metrics.Metric]:
        """The Keras metrics that a compiled model reports beside its loss."""
        raise NotImplementedError(f"{type(self).__name__} names no metrics.")

    def _head(self, tensor: Any) -> Any:
        shape = tuple(tensor.shape)
        if len(shape) < 2 or not all(shape[1:]) or holds_ids(tensor):
            raise BlockError(
                f"{type(self).__name__} adds up numbers or vectors of them, of shape (batch_size, "
                f"...). Received: {tensor.dtype} of shape {shape}."
            )
        if is_score(tensor):
            return tensor
        flat = tensor if len(shape) == 2 else keras.layers.Flatten()(tensor)
        start = _first_weights(tensor, flat.shape[-1])
        return keras.layers.Dense(1, use_bias=False, kernel_initializer=start)(flat)


def _first_weights(tensor: Any, width: int) -> str:
    """The initializer of the weights that bring a tensor of this width to one number.

    Columns of numbers begin without effect, whatever their scale; a tower's only number begins with
    weight 1, a tower of more with random weights.
    """
    if isinstance(tensor._keras_history.operation, keras.layers.InputLayer):
        return "zeros"
    return "ones" if width == 1 else "glorot_uniform"


@dataclass(frozen=True, kw_only=True)
class RatingPredictionOptimizer(TaskOptimizer):
    """Rating prediction: a number a row, trained on the mean squared error.

    The output is linear: the thesis' ReLU on a rating dies where it meets zero.

    Args:
        label_range: The least and the greatest rating, where predictions shall stay between them.
        scaling: How they do: "clip" cuts predictions off (training goes on beyond the range),
            "sigmoid" maps every number into it.
    """

    task: ClassVar[str] = "rating"
    objective: ClassVar[str] = "val_mse"

    label_range: tuple[float, float] | None = None
    scaling: str = bounded("clip", kind=str, among=("clip", "sigmoid"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_range is not None:
            object.__setattr__(self, "label_range", tuple(self.label_range))
            if len(self.label_range) != 2 or not self.label_range[0] < self.label_range[1]:
                raise BlockError(
                    "`label_range` of RatingPredictionOptimizer is the least and the greatest "
                    f"rating. Received: {self.label_range}."
                )

    def output(self, total: Any) -> Any:
        """The global mean added, and the range kept where there is one."""
        if self.label_range is None:
            return Offset(name="score")(total)
        low, high = self.label_range
        smooth = self.scaling == "sigmoid"
        is_usual = USUAL_WIDTHS[0] <= high - low <= USUAL_WIDTHS[1]
        score = Offset(
            span=self.label_range if smooth else None,
            scaled=not (smooth or is_usual),
            name="score",
        )(total)
        return IntoRange(low, high, smooth, name="rating")(score)

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

    def output(self, total: Any) -> Any:
        """The click rate's logit added, and the sigmoid of the sum."""
        score = Offset(span=(0.0, 1.0), name="score")(total)
        return keras.layers.Activation("sigmoid", name="click_probability")(score)

    def loss(self) -> keras.losses.Loss:
        """The full binary cross entropy."""
        return keras.losses.BinaryCrossentropy(name="ce")

    def metrics(self) -> list[keras.metrics.Metric]:
        """Cross entropy without regularisation, and the area under the ROC curve."""
        return [
            keras.metrics.BinaryCrossentropy(name="ce"),
            keras.metrics.AUC(name="auc", num_thresholds=1000),
        ]
