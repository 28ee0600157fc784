"""Items that stand for what users did not take, sampled again in each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from autorec_core.evaluation.item_rows import ItemRows
from autorec_core.optimizers import RankingOptimizer
from autorec_core.training.rows import Rows

NEGATIVES = "negatives of a row"
"""The key of a batch's sampled items, among the arrays by input name."""
TABLE_CELLS = 1 << 28
"""Up to this many pairs of a user and an item, a table says who has met what: it is faster."""
ROUNDS = 20
"""After this many draws, the items that a user has not met are listed instead."""


class Negatives:
    """Samples items for rows of positives. What is drawn depends on the seed and the epoch only.

    Args:
        splits: The rows to learn from. An item is never sampled for a user with a row of it.
        optimizer: Says where users and items are, how many items are sampled, and how.
        seed: The seed.
    """

    def __init__(self, splits: Sequence[Rows], optimizer: RankingOptimizer, seed: int) -> None:
        self._optimizer = optimizer
        self._seed = seed
        self.mean_strength = float(np.mean(np.concatenate([rows.labels for rows in splits])))
        pairs = np.concatenate([pairs_of(rows, optimizer) for rows in splits]).astype(np.int64)
        inputs = {
            name: np.concatenate([rows.inputs[name] for rows in splits])
            for name in splits[0].inputs
        }
        self.of_items = ItemRows.of(inputs, pairs[:, 0], pairs[:, 1])
        items = self.of_items.items
        counts = np.bincount(pairs[:, 1])[items].astype(np.float64)
        share = counts if optimizer.by == "popularity" else np.ones(len(items))
        self._ends = np.cumsum(share / share.sum())
        self.log_share = np.zeros(int(items[-1]) + 1, np.float32)
        self.log_share[items] = np.log(share / share.sum())
        self._width = int(items[-1]) + 1
        self._met = np.unique(pairs[:, 0] * self._width + pairs[:, 1])
        self._table: np.ndarray | None = None
        users = int(pairs[:, 0].max()) + 1
        if users * self._width <= TABLE_CELLS:
            self._table = np.zeros(users * self._width, bool)
            self._table[self._met] = True

    def draw(self, inputs: Mapping[str, Any], *moment: int) -> np.ndarray:
        """Samples items for rows.

        Args:
            inputs: Arrays or tensors of the rows by input name.
            *moment: The epoch, and the place of the rows in it.

        Returns:
            int32 ids of items that the users have not met, shape (rows, sampled items). A user who
            has met everything gets any items.
        """
        users = np.asarray(inputs[self._optimizer.input_name])[:, self._optimizer.user_column]
        generator = np.random.default_rng([self._seed, *moment])
        owner = np.repeat(users.astype(np.int64), self._optimizer.per_positive)
        found = self._drawn(generator, len(owner))
        wrong = np.flatnonzero(self._have_met(owner, found))
        for _ in range(ROUNDS):
            if not len(wrong):
                break
            found[wrong] = self._drawn(generator, len(wrong))
            wrong = wrong[self._have_met(owner[wrong], found[wrong])]
        items, share = self.of_items.items, np.diff(self._ends, prepend=0.0)
        for user in np.unique(owner[wrong]):
            places = wrong[owner[wrong] == user]
            left = ~self._have_met(np.full(len(items), user), items.astype(np.int64))
            if left.any():
                chances = share[left] / share[left].sum()
                found[places] = generator.choice(items[left], len(places), p=chances)
        return found.reshape(len(users), -1).astype(np.int32)

    def _drawn(self, generator: np.random.Generator, count: int) -> np.ndarray:
        places = np.searchsorted(self._ends, generator.random(count), side="right")
        items: np.ndarray = self.of_items.items[np.minimum(places, len(self._ends) - 1)]
        return items.astype(np.int64)

    def _have_met(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        keys = users * self._width + items
        if self._table is not None:
            return np.asarray(self._table[keys])
        places = np.minimum(np.searchsorted(self._met, keys), len(self._met) - 1)
        return np.asarray(self._met[places] == keys)

    def expanded(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Puts the rows of the sampled items behind each row of a batch, in a TensorFlow graph.

        Args:
            batch: Tensors of shape (rows, ...) by input name, and the sampled items.

        Returns:
            Tensors of shape (rows * (1 + sampled items), ...): each row, then its sampled items.
        """
        sampled = batch[NEGATIVES]
        count = 1 + self._optimizer.per_positive
        made = {}
        for name, tensor in batch.items():
            if name == NEGATIVES:
                continue
            tiled = tf.repeat(tensor[:, None], count, axis=1)
            if name in self.of_items.own:
                own = tf.constant(self.of_items.own[name])
                theirs = tf.gather(tf.constant(self.of_items.rows[name]), sampled)
                tiled = tf.concat([tiled[:, :1], tf.where(own, theirs, tiled[:, 1:])], axis=1)
            made[name] = tf.reshape(tiled, [-1, *tensor.shape[1:]])
        return made

    def shares(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Computes the logarithms of the shares with which a batch's items are sampled.

        Args:
            batch: As in `expanded`.

        Returns:
            float32, shape (rows, 1 + sampled items).
        """
        own = batch[self._optimizer.input_name][:, self._optimizer.item_column]
        items = tf.concat([tf.cast(own, tf.int32)[:, None], batch[NEGATIVES]], axis=1)
        return tf.gather(tf.constant(self.log_share), items)


def pairs_of(rows: Rows, optimizer: RankingOptimizer) -> np.ndarray:
    """Returns the encoded user and item of each row, shape (rows, 2)."""
    ids: Any = rows.inputs[optimizer.input_name]
    return np.stack([ids[:, optimizer.user_column], ids[:, optimizer.item_column]], axis=1)
