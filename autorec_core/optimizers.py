"""Task optimizers: the last block of every chain. They define output, loss and metrics.

A task optimizer may be called on several nodes, such as DeepFM's FM tower and MLP tower. It turns
each node into one number for each row and adds the numbers and a global offset. A tensor that is
already a part of the score (`autorec_core.block.is_score`) is added as it is; all others get
trained weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from autorec_core.block import Block, bounded, choice, holds_ids, is_raw, is_score
from autorec_core.errors import BlockError

USUAL_WIDTHS = (0.5, 20.0)
"""Rating scales of a width between these need no scaling, such as stars from 1 to 5."""


@keras.saving.register_keras_serializable(package="autorec")
class Offset(keras.layers.Layer):
    """Adds one trained number, which `adapt` sets to the mean of the training labels.

    Args:
        span: The range of the sigmoid that follows this layer; the offset is then set to the number
            that the sigmoid maps to the mean. None if no sigmoid follows.
        scaled: Whether to multiply the sum by the labels' standard deviation, so that labels in
            minutes or cents are learned as well as stars. Training then divides the loss by the
            variance, so that regularisation has the same weight.
    """

    def __init__(
        self, *, span: Sequence[float] | None = None, scaled: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.span = None if span is None else list(span)
        self.scaled = scaled

    def build(self, input_shape: Any) -> None:
        """Creates the offset and, if `scaled`, the scale, which is not trained."""
        self.offset = self.add_weight(name="offset", shape=(), initializer="zeros")
        if self.scaled:
            self.scale = self.add_weight(
                name="scale", shape=(), initializer="ones", trainable=False
            )

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Sets the offset and the scale from the mean and deviation of `labels`, shape (rows,)."""
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
        """Adds the offset to `inputs`, of any shape."""
        total = inputs + self.offset
        return total * self.scale if self.scaled else total

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "span": self.span, "scaled": self.scaled}


@keras.saving.register_keras_serializable(package="autorec")
class NoScore(keras.layers.Layer):
    """Gives every row the score zero."""

    def call(self, inputs: Sequence[Any]) -> Any:
        """Maps the model's inputs, of shape (batch_size, ...), to zeros, shape (batch_size, 1)."""
        return keras.ops.zeros((keras.ops.shape(inputs[0])[0], 1))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Returns (batch_size, 1)."""
        return (input_shape[0][0], 1)


@keras.saving.register_keras_serializable(package="autorec")
class IntoRange(keras.layers.Layer):
    """Keeps predictions inside the range of the labels.

    Args:
        low: The smallest label.
        high: The greatest label.
        smooth: Whether a sigmoid maps every number into the range. If not, numbers outside are
            clipped, but not in training, because a clipped number has no gradient.
    """

    def __init__(self, low: float, high: float, smooth: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low = low
        self.high = high
        self.smooth = smooth

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps numbers of any shape to numbers of the same shape."""
        if self.smooth:
            return self.low + (self.high - self.low) * keras.ops.sigmoid(inputs)
        return inputs if training else keras.ops.clip(inputs, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "low": self.low,
            "high": self.high,
            "smooth": self.smooth,
        }


@dataclass(frozen=True, kw_only=True)
class TaskOptimizer(Block):
    """The base class of all tasks: turns several nodes into one number for each row."""

    task: ClassVar[str] = ""
    objective: ClassVar[str] = ""
    probability: ClassVar[bool] = False

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the task's output, shape (batch_size, 1), from tensors of rank 2 or more."""
        if not inputs:
            raise BlockError(f"{type(self).__name__} must be called on at least one tensor.")
        heads = [self._head(tensor) for tensor in inputs]
        total = heads[0] if len(heads) == 1 else keras.layers.Add()(heads)
        return self.output(total)

    def output(self, total: Any) -> Any:
        """Builds the prediction from the sum of all nodes, both of shape (batch_size, 1)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `output`.")

    def loss(self) -> keras.losses.Loss:
        """Returns the Keras loss of the task."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `loss`.")

    def metrics(self) -> list[keras.metrics.Metric]:
        """Returns the Keras metrics that a compiled model reports with its loss."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `metrics`.")

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
    """Returns the initializer of the weights that turn a tensor of this width into one number.

    Input columns and their products start with weight 0, because their scale is unknown. A tower
    with one output starts with weight 1, a tower with several outputs with random weights.
    """
    if is_raw(tensor):
        return "zeros"
    return "ones" if width == 1 else "glorot_uniform"


@dataclass(frozen=True, kw_only=True)
class RatingPredictionOptimizer(TaskOptimizer):
    """Rating prediction: one number for each row, trained on the mean squared error.

    The output is linear. The thesis uses a ReLU, which has no gradient once a prediction is below
    zero.

    Args:
        label_range: The smallest and the greatest rating, if predictions must stay between them.
        scaling: How predictions are kept in `label_range`: "clip" cuts them off, but not in
            training; "sigmoid" maps every number into the range.
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
                    "`label_range` of RatingPredictionOptimizer must be the smallest and the "
                    f"greatest rating. Received: {self.label_range}."
                )

    def output(self, total: Any) -> Any:
        """Adds the global mean and keeps the prediction in `label_range`, if there is one."""
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
        """Returns the mean squared error."""
        return keras.losses.MeanSquaredError(name="mse")

    def metrics(self) -> list[keras.metrics.Metric]:
        """Returns the MSE, which, unlike the training loss, has no regularisation added."""
        return [keras.metrics.MeanSquaredError(name="mse")]


@dataclass(frozen=True, kw_only=True)
class CTRPredictionOptimizer(TaskOptimizer):
    """Click prediction: one probability for each row, trained on the binary cross entropy."""

    task: ClassVar[str] = "ctr"
    objective: ClassVar[str] = "val_ce"
    probability: ClassVar[bool] = True

    def output(self, total: Any) -> Any:
        """Adds the logit of the mean click rate and applies a sigmoid."""
        score = Offset(span=(0.0, 1.0), name="score")(total)
        return keras.layers.Activation("sigmoid", name="click_probability")(score)

    def loss(self) -> keras.losses.Loss:
        """Returns the binary cross entropy."""
        return keras.losses.BinaryCrossentropy(name="ce")

    def metrics(self) -> list[keras.metrics.Metric]:
        """Returns the cross entropy without regularisation and the area under the ROC curve."""
        return [
            keras.metrics.BinaryCrossentropy(name="ce"),
            keras.metrics.AUC(name="auc", num_thresholds=1000),
        ]


@keras.saving.register_keras_serializable(package="autorec")
class Preference(keras.layers.Layer):
    """Adds one trained number, which only the cross entropy needs."""

    def build(self, input_shape: Any) -> None:
        """Creates the number."""
        self.offset = self.add_weight(name="offset", shape=(), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Adds the number to `inputs`, of any shape."""
        return inputs + self.offset


@dataclass(frozen=True, kw_only=True)
class RankingOptimizer(TaskOptimizer):
    """Ranking: one preference for each row, trained on what users took and sampled other items.

    The training rows are what users took; a label is the strength of a row. In training, each row
    comes with items that are sampled from those that its user has not met, again in each epoch.
    The preference is a logit: within one user, a greater one means a better place. It is no
    rating and, except with the cross entropy and uniform samples, no probability.

    Args:
        input_name: The input that holds users and items.
        user_column: The place of the users in it.
        item_column: The place of the items in it.
        per_positive: Number of sampled items for each row.
        by: How they are sampled: "uniform", or "popularity" for in proportion to an item's rows.
        criterion: The loss: "softmax" of a row's item among its sampled items, with the correction
            for their shares; "bpr", the logistic loss of each difference; or "cross_entropy" of
            each item.

    References:
        bpr: [Rendle et al., 2009](https://arxiv.org/abs/1205.2618);
        softmax: [Jean et al., 2015](https://arxiv.org/abs/1412.2007)
    """

    task: ClassVar[str] = "ranking"
    objective: ClassVar[str] = "val_ndcg@10"

    input_name: str = "categorical"
    user_column: int = bounded(0, least=0)
    item_column: int = bounded(1, least=0)
    per_positive: int = bounded(4, least=1, most=1000)
    by: str = bounded("popularity", kind=str, among=("uniform", "popularity"))
    criterion: str = choice(
        "softmax", "bpr", "cross_entropy", among=("softmax", "bpr", "cross_entropy")
    )

    def output(self, total: Any) -> Any:
        """Builds the preference from the sum of all nodes, both of shape (batch_size, 1)."""
        return Preference(name="score")(total)

    def loss(self) -> keras.losses.Loss:
        """Returns the cross entropy of single rows, for Keras' own `fit`."""
        return keras.losses.BinaryCrossentropy(from_logits=True, name="ce")

    def metrics(self) -> list[keras.metrics.Metric]:
        """Returns no metric: ranking metrics need the lists of users."""
        return []

    def loss_of_lists(self, scores: Any, shares: Any, strengths: Any) -> Any:
        """Computes the mean loss of rows with their sampled items.

        Args:
            scores: Preferences of the row's own item, then of the sampled ones, shape (rows, 1 +
                sampled items).
            shares: Logarithms of the shares with which these items are sampled, same shape.
            strengths: The strength of each row, with mean 1 over all rows, shape (rows,).
        """
        ops = keras.ops
        own, others = scores[:, :1], scores[:, 1:]
        if self.criterion == "softmax":
            corrected = scores - shares
            losses = ops.logsumexp(corrected, axis=1) - corrected[:, 0]
        elif self.criterion == "bpr":
            losses = ops.mean(ops.softplus(others - own), axis=1)
        else:
            terms = ops.concatenate([ops.softplus(-own), ops.softplus(others)], axis=1)
            losses = ops.mean(terms, axis=1)
        return ops.mean(losses * strengths)
