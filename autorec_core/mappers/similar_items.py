"""The mapper of similar items: an item scores by what its user has met, most of all lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from autorec_core.block import bounded, choice
from autorec_core.evaluation.ease import ease_weights, inverse_gram, scores_without_own_row
from autorec_core.evaluation.full_catalogue import pairs_matrix
from autorec_core.mappers.base import Mapper

FEW_USERS = 64
"""A batch with more different users looks up single weights instead of whole rows of them."""
MOST_MET = 1000
"""The most items kept of one user, the latest ones."""


@dataclass(frozen=True, kw_only=True)
class SimilarItemsMapper(Mapper):
    """Scores an item by the sum of its weights for the items that the user has met.

    The weights are those of EASE: a ridge regression of each item on all others, solved in one step
    from the training rows (`Recommender.adapt`). Only one factor of the score is trained. In
    training, the weights for a row are solved without its user. So other parts of the model learn
    what these weights cannot predict in new rows.

    A user's latest items say more about the next one than older items. In scoring, the item that
    was met `age` items before the last one counts `floor + (1 - floor) * exp(-age / recency)`,
    scaled so that the mean over the user's items is 1. The training rows must be in
    the order of time.

    Args:
        user_column: The place of the users, counted from 0.
        item_column: The place of the items, counted from 0.
        user_num: Number of ids of users, "unknown" (id 0) included.
        item_num: Number of ids of items, "unknown" (id 0) included.
        l2: The strength of the regression's regularisation.
        recency: The number of items after which an older item counts much less; 0 if all count the
            same.
        floor: What the oldest items count.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Steck, 2019](https://doi.org/10.1145/3308558.3313710)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {}

    user_column: int = bounded(least=0)
    item_column: int = bounded(least=0)
    user_num: int = bounded(least=1)
    item_num: int = bounded(least=1)
    l2: float = choice(100.0, 300.0, 1000.0, default=300.0, name="similar_l2", above=0)
    recency: int = choice(0, 3, 10, 30, default=10, name="recency", least=0)
    floor: float = bounded(0.1, kind=float, least=0, most=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the score on the one input of ids, shape (batch_size, columns)."""
        table = self.only(inputs)
        layer = SimilarItems(
            input_name=table._keras_history.operation.name,
            user_column=self.has_column(table, "user_column"),
            item_column=self.has_column(table, "item_column"),
            user_num=self.user_num,
            item_num=self.item_num,
            l2=self.l2,
            recency=self.recency,
            floor=self.floor,
        )
        return layer(table)


@keras.saving.register_keras_serializable(package="autorec")
class SimilarItems(keras.layers.Layer):
    """Adds up an item's weights of the items that the row's user has met.

    Args:
        input_name: The model input that holds both columns.
        user_column: The place of the users in it.
        item_column: The place of the items in it.
        user_num: Number of ids of users.
        item_num: Number of ids of items.
        l2: The strength of regularisation.
        recency: The number of items after which an older item counts much less; 0 for never.
        floor: What the oldest items count.
    """

    is_score = True

    def __init__(
        self,
        *,
        input_name: str,
        user_column: int,
        item_column: int,
        user_num: int,
        item_num: int,
        l2: float,
        recency: int,
        floor: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_name = input_name
        self.user_column = user_column
        self.item_column = item_column
        self.user_num = user_num
        self.item_num = item_num
        self.l2 = l2
        self.recency = recency
        self.floor = floor
        self._in_training: dict[str, tf.Tensor] = {}

    def build(self, input_shape: Any) -> None:
        """Makes room for the weights and the histories, and the trained factor of the score."""
        self.similar = self.add_weight(
            name="similar",
            shape=(self.item_num, self.item_num),
            initializer="zeros",
            trainable=False,
        )
        self.met = self.add_weight(
            name="met",
            shape=(self.user_num, min(MOST_MET, self.item_num)),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )
        self.factor = self.add_weight(
            name="factor", shape=(), initializer=keras.initializers.Constant(FIRST_FACTOR)
        )

    def adapt(self, inputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Solves the weights, and takes the histories, from the training rows.

        Args:
            inputs: The rows by the name of the model input they feed, in the order of time.
            labels: Not used: that a user has met an item is the feedback.
        """
        table = np.asarray(inputs[self.input_name])
        pairs = table[:, [self.user_column, self.item_column]].astype(np.int64)
        pairs = pairs[(pairs > 0).all(axis=1)]
        self.met.assign(latest_items(pairs, self.user_num, self.met.shape[1]))
        matrix = pairs_matrix(pairs, np.arange(self.user_num), np.arange(self.item_num))
        inverse = inverse_gram(matrix, self.l2)
        self.similar.assign(ease_weights(inverse))
        with tf.init_scope():
            scores = scores_without_own_row(matrix, inverse)
            self._in_training["scores"] = tf.convert_to_tensor(scores)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps (batch_size, columns) to (batch_size, 1)."""
        users, items = (
            tf.clip_by_value(inputs[:, column], 0, size - 1)
            for column, size in (
                (self.user_column, self.user_num),
                (self.item_column, self.item_num),
            )
        )
        if training and self._in_training:
            scores = tf.gather_nd(self._in_training["scores"], tf.stack([users, items], axis=1))
        else:
            distinct, place = tf.unique(users)
            scores = tf.cond(
                tf.size(distinct) <= FEW_USERS,
                lambda: self._of_few(distinct, place, items),
                lambda: self._of_many(users, items),
            )
        return (self.factor * tf.cast(scores, self.compute_dtype))[:, None]

    def of_all_items(self, users: tf.Tensor) -> tf.Tensor:
        """Computes the scores of all items for some users, shape (users, item_num).

        Args:
            users: The users, shape (users,).
        """
        met, counts = self._history(tf.clip_by_value(users, 0, self.user_num - 1))
        similar = tf.convert_to_tensor(self.similar)

        def of_one() -> tf.Tensor:  # reads only the weights of what the user has met
            return tf.matmul(counts, tf.gather(similar, met[0]))

        def of_several() -> tf.Tensor:
            return tf.matmul(self._counts_of_items(met, counts), similar)

        scores = tf.cond(tf.size(users) <= 1, of_one, of_several)
        return self.factor * tf.cast(scores, self.compute_dtype)

    def _counts_of_items(self, met: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        """What each item counts for each user: shape (users, item_num)."""
        owner = tf.repeat(tf.range(tf.shape(met)[0])[:, None], tf.shape(met)[1], axis=1)
        shape = tf.stack([tf.shape(met)[0], self.item_num])
        return tf.scatter_nd(tf.stack([owner, met], axis=2), counts, shape)

    def _of_few(self, users: tf.Tensor, place: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Computes the scores of all items for some users, and looks up those of the rows."""
        counts = self._counts_of_items(*self._history(users))
        scores = tf.matmul(counts, tf.convert_to_tensor(self.similar))
        return tf.gather_nd(scores, tf.stack([place, items], axis=1))

    def _of_many(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Looks up the weights of each row's item."""
        met, counts = self._history(users)
        own = tf.repeat(items[:, None], tf.shape(met)[1], axis=1)
        weights = tf.gather_nd(tf.convert_to_tensor(self.similar), tf.stack([met, own], axis=2))
        return tf.reduce_sum(weights * counts, axis=1)

    def _history(self, users: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what users have met, the latest first, and what each counts: (users, items)."""
        met = tf.gather(tf.convert_to_tensor(self.met), users)
        longest = tf.reduce_max(tf.math.count_nonzero(met, axis=1, dtype=tf.int32), keepdims=True)
        met = met[:, : tf.maximum(tf.reduce_max(longest), 1)]
        there = tf.cast(met > 0, self.compute_dtype)
        if not self.recency:
            return met, there
        age = tf.cast(tf.range(tf.shape(met)[1]), self.compute_dtype)
        counts = there * (self.floor + (1 - self.floor) * tf.exp(-age / self.recency))
        number = tf.reduce_sum(there, axis=1, keepdims=True)
        total = tf.reduce_sum(counts, axis=1, keepdims=True)
        return met, tf.math.divide_no_nan(counts * number, total)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Returns (batch_size, 1)."""
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = (
            "input_name",
            "user_column",
            "item_column",
            "user_num",
            "item_num",
            "l2",
            "recency",
            "floor",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


FIRST_FACTOR = 10.0
"""The factor of the score before training: a weight of one tenth becomes one logit."""


def latest_items(pairs: np.ndarray, user_num: int, kept: int) -> np.ndarray:
    """Returns the items of each user, each once, the latest first, padded with 0.

    Args:
        pairs: User and item of rows in the order of time, int64, shape (rows, 2).
        user_num: Number of ids of users.
        kept: The most items of one user.

    Returns:
        int32, shape (user_num, kept).
    """
    late = pairs[::-1]
    _, first = np.unique(late, axis=0, return_index=True)
    late = late[np.sort(first)]
    late = late[np.argsort(late[:, 0], kind="stable")]
    rank = np.arange(len(late)) - np.searchsorted(late[:, 0], late[:, 0])
    found = np.zeros((user_num, kept), np.int32)
    inside = rank < kept
    found[late[inside, 0], rank[inside]] = late[inside, 1]
    return found
