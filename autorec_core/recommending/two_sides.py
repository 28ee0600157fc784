"""Runs a model on all pairs of users and items, and computes what is one side's only once.

A pair of a user and an item is two rows of inputs, one of each side. A layer whose inputs all come
from one side gives the same result in each pair of that user or item, so it runs on the rows of the
side alone. The other layers run on pairs, as in the model itself. Of these, the product of a user's
vector and an item's vector is one product of matrices.

The history of a user or an item leaves out the item or the user of the row itself, so it depends on
both. Here it leaves out nothing, which is the same if the pair does not occur in the training rows.
The scores of pairs that do occur are wrong; `TwoSides.met_among` says which these are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse import csr_array

from autorec_core.evaluation.full_catalogue import pairs_matrix
from autorec_core.mappers.history import History
from autorec_core.recommending.side_walk import Table, Walk

Arrays = Mapping[str, np.ndarray]
Rows = dict[str, tf.Tensor]
IDS = "categorical"
"""The model input of ids."""
CHUNK = 1 << 16
"""Items that are computed at a time."""


@dataclass(frozen=True)
class Columns:
    """Which side the columns of an input come from.

    Args:
        of_items: By model input, bool, shape (columns,); the other columns are the users'.
        user: The place of the users among the ids, and that of the items.
        item: The place of the items among the ids.
    """

    of_items: Mapping[str, np.ndarray]
    user: int
    item: int


@dataclass(frozen=True, eq=False)
class ItemChunk:
    """Some items, with what of the model depends on them alone.

    Args:
        rows: Their rows by model input.
        computed: The tensors that meet users, in the order in which the model needs them.
    """

    rows: Rows
    computed: list[Any]


class TwoSides:
    """A model that scores all pairs of users and items.

    Args:
        model: A functional Keras model.
        columns: Which side the columns of its inputs come from.
    """

    def __init__(self, model: keras.Model, columns: Columns) -> None:
        self._model, self._columns = model, columns
        self._pooled = {id(layer): _pooled(layer) for layer in self._histories()}
        specs = {
            node.name: tf.TensorSpec([None, *node.shape[1:]], node.dtype) for node in model.inputs
        }
        self._item_side = tf.function(self._of_items, autograph=False, input_signature=[specs])
        self._pairs = tf.function(self._of_pairs, autograph=False, reduce_retracing=True)
        self._met = self._find_met()

    def items(self, rows: Arrays) -> list[ItemChunk]:
        """Computes what of the model depends on items alone.

        Args:
            rows: The encoded rows of the items by model input, shape (items, columns) each.
        """
        count = len(next(iter(rows.values())))
        chunks = []
        for first in range(0, count, CHUNK):
            tensors = self._tensors(rows, slice(first, first + CHUNK))
            chunks.append(ItemChunk(tensors, self._item_side(tensors)))
        return chunks

    def scores(self, users: Arrays, items: Sequence[ItemChunk]) -> np.ndarray:
        """Scores all pairs: float32, shape (users, items).

        Args:
            users: The encoded rows of the users by model input, shape (users, columns) each.
            items: What `items` returned.
        """
        rows = self._tensors(users, slice(None))
        count = len(next(iter(users.values())))
        parts = [
            self._pairs(rows, chunk.rows, chunk.computed).numpy().reshape(count, -1)
            for chunk in items
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def met_among(self, users: Arrays, items: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Finds the pairs whose scores are wrong: the places of their users and items.

        Args:
            users: The encoded rows of the users by model input.
            items: The encoded rows of the items, each item once.
        """
        if self._met is None:
            nowhere = np.zeros(0, np.int64)
            return nowhere, nowhere
        left, right = users[IDS][:, self._columns.user], items[IDS][:, self._columns.item]
        place = np.full(self._met.shape[1], -1)
        place[right] = np.arange(len(right))
        rows = self._met[left]
        places = place[rows.indices]
        lines = np.repeat(np.arange(len(left)), np.diff(rows.indptr))
        return lines[places >= 0], places[places >= 0]

    def _tensors(self, rows: Arrays, part: slice) -> Rows:
        return {
            node.name: tf.constant(rows[node.name][part], node.dtype) for node in self._model.inputs
        }

    def _histories(self) -> list[History]:
        """Returns the histories of the users' items and of the items' users."""
        both = {self._columns.user, self._columns.item}
        return [
            layer
            for layer in self._model._flatten_layers()
            if isinstance(layer, History) and {layer.key_column, layer.value_column} == both
        ]

    def _find_met(self) -> csr_array | None:
        """Returns 1 for encoded pairs whose scores are wrong, shape (users, items); None if no."""
        pairs, shape = [], (0, 0)
        for layer in self._histories():
            keys, values, _ = layer.met()
            sides, sizes = [keys, values], [layer.key_num, layer.value_num]
            if layer.key_column != self._columns.user:
                sides, sizes = sides[::-1], sizes[::-1]
            shape = (max(shape[0], sizes[0]), max(shape[1], sizes[1]))
            pairs.append(np.stack(sides, axis=1))
        if not pairs:
            return None
        return pairs_matrix(np.concatenate(pairs), np.arange(shape[0]), np.arange(shape[1]))

    def _of_items(self, items: Rows) -> list[Any]:
        nobody = {name: tf.zeros_like(rows[:1]) for name, rows in items.items()}
        taken: list[Any] = []

        def take(tensor: Any) -> Any:
            taken.append(tensor)
            return tensor

        self._walk(nobody, items, take)
        return taken

    def _of_pairs(self, users: Rows, items: Rows, computed: list[Any]) -> Any:
        left = iter(computed)
        return self._walk(users, items, lambda _: next(left))

    def _walk(self, users: Rows, items: Rows, take: Callable[[Any], Any]) -> Any:
        tables = {
            name: Table(name, users[name], items[name], self._columns.of_items[name])
            for name in users
        }
        count = [tf.shape(next(iter(rows.values())))[0] for rows in (users, items)]
        walk = Walk(count[0], count[1], take, self._pooled)
        [(_, scores)] = walk.merged(walk.run(self._model, tables), "pair").parts
        return tf.reshape(scores, [-1])


def _pooled(layer: History) -> Any:
    """Returns the histories of all keys, with nothing left out: shape (key_num, dim)."""
    number = tf.convert_to_tensor(layer.lengths)
    return layer.pool_all() * tf.math.rsqrt(tf.maximum(number, 1))[:, None]
