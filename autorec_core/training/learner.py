"""The model of a candidate during training: many steps in one compiled call."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

from autorec_core.errors import DataError
from autorec_core.optimizers import Offset, RankingOptimizer
from autorec_core.recommender import Recommender
from autorec_core.training.adam import RowwiseAdam
from autorec_core.training.batches import Chunk
from autorec_core.training.errors import FailedTrial
from autorec_core.training.histories import sparse_histories
from autorec_core.training.negatives import Negatives
from autorec_core.training.prediction import any_number_of, model_inputs
from autorec_core.training.rows import Rows
from autorec_core.training.tables import row_reads

_default_seeds = threading.Lock()
_COUNTERS = "object_name_uids"


@contextmanager
def independent(seed: int) -> Iterator[None]:
    """Makes all that Keras draws or names in this block independent of what was built earlier.

    If an initialiser or layer has no seed, Keras takes one from Python's global `random`. Other
    threads use that too. So Keras gets its own generator here.

    Keras numbers the names of layers over the whole process. TensorFlow orders parts of a graph by
    these names, so sums would be rounded differently in a process that has built other models.

    Args:
        seed: Decides the first weights and the dropout masks.
    """
    counters = global_state.get_global_attribute(_COUNTERS)  # each thread has its own
    with _default_seeds:
        before = seed_generator.python_random
        seed_generator.python_random = random.Random(seed)
        global_state.set_global_attribute(_COUNTERS, defaultdict(int))
        try:
            yield
        finally:
            seed_generator.python_random = before
            global_state.set_global_attribute(_COUNTERS, counters)


def build_model(recommender: Recommender, seed: int) -> keras.Model:
    """Builds the compiled Keras model of a recommender, with first weights drawn from `seed`.

    Args:
        recommender: The recommender, without open settings.
        seed: The seed of the first weights.

    Raises:
        FailedTrial: The blocks of the candidate do not fit together, or memory ran out.
    """
    try:
        with independent(seed):
            return recommender.model()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise FailedTrial(f"out of memory: {_first_line(error)}", passing=True) from error
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise FailedTrial(f"the model cannot be built: {_first_line(error)}") from error


class Learner:
    """A model and everything that changes during its training.

    Args:
        recommender: The recommender, without open settings.
        model: The Keras model of the recommender.
        batch_size: Rows in each step.
        negatives: Samples items for each row, for a recommender that ranks; else None.
    """

    def __init__(
        self,
        recommender: Recommender,
        model: keras.Model,
        batch_size: int,
        negatives: Negatives | None = None,
    ) -> None:
        self.negatives = negatives
        self._optimizer = recommender.optimizer
        self.model = model
        self._size = tf.Variable(batch_size, dtype=tf.int32, trainable=False)
        self.batch_size = batch_size
        self._training = recommender.training
        self._trained, self._loss = _trained_part(recommender, model)
        self._unit = _square_of_scale(model)
        self._variables = [variable.value for variable in model.trainable_variables]
        self._rate = self._training.learning_rate
        self._learning_rate = tf.Variable(self._rate, dtype=tf.float32, trainable=False)
        self._adam: RowwiseAdam | None = None
        if self._training.optimizer == "adam":
            self._adam = RowwiseAdam(self._variables, self._learning_rate)
        else:
            self._other = self._training.keras_optimizer()
            self._other.build(model.trainable_variables)
        self._run = tf.function(self._steps, autograph=False)
        self._compiled: Any = None

    @property
    def batch_size(self) -> int:
        """Rows in each step."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._batch_size = size
        self._size.assign(size)

    @property
    def learning_rate(self) -> float:
        """The current learning rate."""
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate = rate
        self._learning_rate.assign(rate)
        if self._adam is None:
            self._other.learning_rate.assign(rate)

    def learn(self, chunk: Chunk, order: np.ndarray) -> float:
        """Takes a step on every batch of the rows in `order`.

        Args:
            chunk: The rows.
            order: The numbers of the rows to use, shape (rows to use,).

        Returns:
            The training loss with regularisation, summed over the rows.

        Raises:
            FailedTrial: The loss is no longer a finite number, memory ran out, or an id is not in
                its table.
        """
        rows = (chunk.inputs, chunk.labels, tf.convert_to_tensor(order))
        if self._compiled is None:
            self._compiled = self._run.get_concrete_function(*any_number_of(rows))
        try:
            loss = float(self._compiled(*rows))
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise FailedTrial(f"out of memory: {_first_line(error)}", passing=True) from error
        except tf.errors.InvalidArgumentError as error:
            raise FailedTrial(_first_line(error)) from error
        if not np.isfinite(loss):
            raise FailedTrial(f"the training loss became {loss}")
        return loss * self._unit

    def weights(self) -> list[np.ndarray]:
        """Returns a copy of all weights."""
        return [weight.value.numpy() for weight in self.model.weights]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Sets the weights to those that `weights` returned earlier."""
        self.model.set_weights(list(weights))

    def state(self) -> list[np.ndarray]:
        """Returns a copy of everything that changes in training, except the learning rate."""
        return [variable.numpy() for variable in self._changing()]

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """Sets the state to one that `state` returned, of this learner or of an equal one.

        Raises:
            DataError: The state belongs to a learner with other variables.
        """
        variables = self._changing()
        ours = [(tuple(one.shape), one.dtype.as_numpy_dtype) for one in variables]
        if ours != [(array.shape, array.dtype.type) for array in state]:
            raise DataError("The checkpoint contains the variables of another model.")
        for variable, array in zip(variables, state, strict=True):
            variable.assign(array)

    def _changing(self) -> list[tf.Variable]:
        """Returns weights, states of random generators, and variables of the optimizer."""
        variables = [variable.value for variable in self.model.variables]
        if self._adam is not None:
            return variables + self._adam.state
        return variables + [variable.value for variable in self._other.variables]

    def _steps(
        self, inputs: dict[str, tf.Tensor], labels: tf.Tensor, order: tf.Tensor
    ) -> tf.Tensor:
        rows, size = tf.size(order), self._size.read_value()

        def body(start: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            taken = order[start : start + size]
            batch = {name: tf.gather(tensor, taken) for name, tensor in inputs.items()}
            loss = self._step(batch, tf.gather(labels, taken)[:, None])
            return start + size, total + loss * tf.cast(tf.size(taken), tf.float32)

        start = (tf.constant(0), tf.constant(0.0))
        return tf.while_loop(lambda start, _: start < rows, body, start)[1]

    def _step(self, inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        batch, negatives = inputs, self.negatives
        if negatives is not None:
            inputs = negatives.expanded(batch)
        with (
            tf.GradientTape() as tape,
            row_reads(self._trained, None if self._adam is None else tape) as lookups,
            of_rows(self._trained, inputs),
            sparse_histories(self._trained),
        ):
            outputs = self._trained(model_inputs(self._trained, inputs), training=True)
            if negatives is None:
                loss = self._loss(labels, outputs) / self._unit
            else:
                loss = self._loss_of_lists(outputs, negatives.shares(batch), labels)
            loss = tf.add_n([loss, *self._trained.losses])
        rows = [fetched.rows for fetched in lookups.fetched]
        gradients, row_gradients = tape.gradient(loss, (self._variables, rows))
        if self._adam is not None:
            self._adam.apply(self._variables, gradients, lookups.fetched, row_gradients)
        else:
            self._other.apply(gradients, self.model.trainable_variables)
        return loss

    def _loss_of_lists(
        self, outputs: tf.Tensor, shares: tf.Tensor, strengths: tf.Tensor
    ) -> tf.Tensor:
        assert isinstance(self._optimizer, RankingOptimizer)
        assert self.negatives is not None
        scores = tf.reshape(outputs, tf.shape(shares))
        strengths = strengths[:, 0] / self.negatives.mean_strength
        return self._optimizer.loss_of_lists(scores, shares, strengths)


def learner_of(
    recommender: Recommender, model: keras.Model, rows: Sequence[Rows], batch_size: int, seed: int
) -> Learner:
    """Makes the learner of a model, which samples items if the recommender ranks.

    Args:
        recommender: The resolved recommender.
        model: Its Keras model.
        rows: The splits to learn from.
        batch_size: Rows a step.
        seed: Decides which items are sampled.
    """
    optimizer, negatives = recommender.optimizer, None
    if isinstance(optimizer, RankingOptimizer):
        negatives = Negatives(rows, optimizer, seed)
    return Learner(recommender, model, batch_size, negatives)


@contextmanager
def of_rows(model: keras.Model, batch: Mapping[str, tf.Tensor]) -> Iterator[None]:
    """Gives layers the values that they need for each row, while a graph is built from `model`.

    Args:
        model: The model.
        batch: Tensors of shape (rows, ...) by the name of the model input, or by the name of the
            layer whose `adapt` returned them.
    """
    layers = [layer for layer in model.layers if hasattr(layer, "of_rows") and layer.name in batch]
    for layer in layers:
        layer.of_rows = batch[layer.name]
    try:
        yield
    finally:
        for layer in layers:
            layer.of_rows = None


def _trained_part(recommender: Recommender, model: keras.Model) -> tuple[keras.Model, Any]:
    """Returns the model and loss to train: with logits instead of probabilities, if possible."""
    task = recommender.optimizer
    if task.probability and any(layer.name == "score" for layer in model.layers):
        logits = keras.Model(model.input, model.get_layer("score").output, name="logits")
        return logits, keras.losses.BinaryCrossentropy(from_logits=True)
    return model, task.loss()


def _square_of_scale(model: keras.Model) -> float:
    """Returns the divisor of the loss; 1 if the labels have a usual scale. See `Offset`."""
    scaled = [one for one in model.layers if isinstance(one, Offset) and one.scaled]
    return float(scaled[0].scale) ** 2 if scaled else 1.0


def _first_line(error: Exception) -> str:
    """Returns the message of an error without TensorFlow's description of the place."""
    lines = [line.strip() for line in str(getattr(error, "message", None) or error).splitlines()]
    around = ("Graph execution error", "Detected at", "File ", "[[")
    said = [line for line in lines if line and not line.startswith(around)]
    return said[0] if said else type(error).__name__
