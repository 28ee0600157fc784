"""The rated history mapper: an item by the ratings that it got, or a user by those they gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autorec_core.block import choice
from autorec_core.mappers.history import History, HistoryMapper

LEVELS = 127
"""The number of steps between 0 and the largest weight; a weight is stored as one of them."""
DAMPING = 5.0
"""The number of ratings equal to the mean that are added to those of each value."""


@dataclass(frozen=True, kw_only=True)
class RatedHistoryMapper(HistoryMapper):
    """Maps an id to the pooled vectors of the ids that it met, weighted by the ratings.

    With items as keys and users as values, item `i` becomes `g(c + sum_u w[u, i] y[u] / sqrt(n))`
    over the `n` users `u` that have rated `i`, the row's own user left out. `w[u, i]` is the rating
    minus the mean rating of `u`, in standard deviations of all ratings. A mean is damped towards
    that of all ratings. The dot product with a latent vector of the user is an autoencoder
    (I-AutoRec) that sees each row without the rating that it must predict.

    With users as keys and items as values, it is an autoencoder of the user's ratings (U-AutoRec);
    without `g`, it is an asymmetric SVD. The key's own mean is not subtracted: it contains the
    rating of the row.

    Args:
        key_column: The place of the column whose history is taken, counted from 0.
        value_column: The place of the column that the history consists of.
        key_num: Number of ids of the key column, "unknown" (id 0) included.
        value_num: Number of ids of the value column, "unknown" (id 0) included.
        embedding_dim: Width of the vectors.
        l2: Weight of the vectors' squared norms, summed over the whole table and divided by the
            number of training rows.
        activation: The function `g`: "linear" for none, "sigmoid" or "tanh". With "linear" there is
            no `c` either.
        max_length: The number of values that are kept of one key if there is no table of all pairs;
            of longer histories, a random sample.

    Returns:
        Tensor of shape (batch_size, embedding_dim).

    References:
        [Sedhain et al., 2015](https://doi.org/10.1145/2740908.2742726);
        asymmetric SVD: [Koren, 2008](https://doi.org/10.1145/1401890.1401944)
    """

    embedding_dim: int = choice(16, 32, 64, 128, default=32, least=1)
    l2: float = choice(30.0, 100.0, default=30.0, least=0)
    activation: str = choice(
        "sigmoid", "tanh", default="sigmoid", among=("sigmoid", "tanh", "linear")
    )

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the pooling on the only input of ids, shape (batch_size, columns)."""
        pooled = self.pooled(inputs, RatedHistory)
        return pooled if self.activation == "linear" else BiasedActivation(self.activation)(pooled)


@keras.saving.register_keras_serializable(package="autorec")
class BiasedActivation(keras.layers.Layer):
    """Adds a trained vector and applies a function.

    Args:
        function: The name of a Keras activation.
    """

    def __init__(self, function: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def build(self, input_shape: Any) -> None:
        """Creates the vector, shape (dim,)."""
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, dim) to the same shape."""
        return keras.activations.get(self.function)(inputs + self.bias)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "function": self.function}


@keras.saving.register_keras_serializable(package="autorec")
class RatedHistory(History):
    """Pools the vectors of the values that a row's key has met, weighted by the ratings.

    The arguments are those of `History`.
    """

    def build(self, input_shape: Any) -> None:
        """Makes room for the ratings too, one for each cell of the histories."""
        super().build(input_shape)
        # Steps of a hundredth of the range are enough, and this is the largest weight of a model.
        self.ratings = self.add_weight(
            name="ratings",
            shape=(self.key_num, self.value_num if self.paired else self.max_length),
            dtype="int8",
            initializer="zeros",
            trainable=False,
        )
        self.step = self.add_weight(name="step", initializer="ones", trainable=False)

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Takes the histories and their ratings from the training rows.

        Args:
            inputs: The rows by the name of the model input they feed.
            labels: The ratings, shape (rows,).
        """
        super().adapt(inputs, labels)
        table = inputs[self.input_name]
        keys, values = (table[:, at].astype("int64") for at in (self.key_column, self.value_column))
        pairs, of_pair = np.unique(keys * self.value_num + values, return_inverse=True)
        sums = np.bincount(of_pair, residuals(values, labels, self.value_num))
        weights = sums / np.bincount(of_pair)
        histories = self._table()
        rows, columns = np.nonzero(histories)
        met = columns if self.paired else histories[rows, columns]
        step = (np.abs(weights).max() or 1.0) / LEVELS
        ratings = np.zeros(histories.shape, np.int8)
        found = weights[np.searchsorted(pairs, rows * self.value_num + met)]
        ratings[rows, columns] = np.round(found / step)
        self.ratings.assign(ratings)
        self.step.assign(step)

    def _weights_at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        with tf.init_scope():
            ratings, step = self.ratings.value.numpy(), self.step.value.numpy()
        return np.asarray(ratings[rows, columns] * np.float32(step))

    def _pair_weights(self, keys: tf.Tensor) -> tf.Tensor:
        return self._weights(tf.gather(tf.convert_to_tensor(self.ratings), keys))

    def _weighted(self, vectors: tf.Tensor, keys: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        ratings = tf.gather_nd(tf.gather(tf.convert_to_tensor(self.ratings), keys), there)
        return vectors * tf.cast(self._weights(ratings), vectors.dtype)[:, None]

    def _own_weight(self, key: tf.Tensor, own: tf.Tensor, met: tf.Tensor) -> tf.Tensor:
        ratings = tf.convert_to_tensor(self.ratings)
        if self.paired:
            found = self._weights(tf.gather_nd(ratings, tf.stack([key, own], axis=1)))
            return tf.cast(found, met.dtype)
        same = tf.gather(tf.convert_to_tensor(self.histories), key) == own[:, None]
        weights = self._weights(tf.gather(ratings, key))
        found = tf.reduce_sum(tf.where(same, weights, tf.zeros_like(weights)), axis=1)
        return met * tf.cast(found, met.dtype)

    def _weights(self, ratings: tf.Tensor) -> tf.Tensor:
        """Turns stored ratings into weights, of the same shape."""
        return tf.cast(ratings, tf.float32) * tf.convert_to_tensor(self.step)


def residuals(values: np.ndarray, labels: np.ndarray, value_num: int) -> np.ndarray:
    """Returns ratings minus the damped mean of their value, in standard deviations.

    Args:
        values: The value's id of each row, shape (rows,).
        labels: The ratings, shape (rows,).
        value_num: Number of ids of the value.

    Returns:
        float64, shape (rows,).
    """
    labels = np.asarray(labels, np.float64)
    centred = (labels - labels.mean()) / (labels.std() or 1.0)
    sums = np.bincount(values, centred, minlength=value_num)
    means = sums / (np.bincount(values, minlength=value_num) + DAMPING)
    return np.asarray(centred - means[values])
