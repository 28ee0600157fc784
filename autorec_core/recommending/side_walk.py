"""Runs the layers of a model on the two sides of pairs, and on pairs only where both sides meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from autorec_core.interactors.inner_product import InnerProduct
from autorec_core.mappers.base import Column, RowPenalty, StackedIds
from autorec_core.mappers.similar_items import SimilarItems

Side = Literal["user", "item", "pair"]
FIELDWISE = (keras.layers.Embedding, RowPenalty)
"""Layers that treat all fields, along axis 1, alike."""


@dataclass(frozen=True, eq=False)
class Value:
    """The output of a layer, in fields along axis 1.

    Args:
        parts: The side and the tensor of each group of fields.
    """

    parts: Sequence[tuple[Side, Any]]


@dataclass(frozen=True, eq=False)
class Table:
    """An input of the model, whose columns come from both sides.

    Args:
        name: The name of the input.
        user: The rows of the users, shape (users, columns).
        item: The rows of the items, shape (items, columns).
        of_items: Which columns come from the items.
    """

    name: str
    user: Any
    item: Any
    of_items: np.ndarray

    def side_of(self, column: int) -> Side:
        """Returns the side that a column comes from."""
        return "item" if self.of_items[column] else "user"

    def rows(self, side: Side) -> Any:
        """Returns the rows of a side."""
        return self.item if side == "item" else self.user


@dataclass(frozen=True)
class Walk:
    """Runs the layers of a model one after the other.

    Args:
        users: The number of users.
        items: The number of items.
        take: Replaces each tensor of the items at the place where it meets users.
        pooled: The histories of all keys, by the id of the layer.
    """

    users: Any
    items: Any
    take: Callable[[Any], Any]
    pooled: Mapping[int, Any] = field(default_factory=dict)

    def run(self, model: keras.Model, inputs: Mapping[str, Any]) -> Any:
        """Runs a functional model, also one that is a layer of another model."""
        known: dict[int, Any] = {id(node): inputs[node.name] for node in model.inputs}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input or any(id(one) not in known for one in node.input_tensors):
                    continue
                args, kwargs = node.arguments.fill_in(known)
                outputs = self._apply(node.operation, args, kwargs)
                known |= zip(map(id, node.outputs), outputs, strict=True)
        return known[id(model.outputs[0])]

    def _apply(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> list[Any]:
        """Runs a layer, in the cheapest way that is known for it; returns its outputs."""
        first = args[0] if args else None
        if isinstance(layer, keras.Model):
            given = first if isinstance(first, dict) else {layer.inputs[0].name: first}
            return [self.run(layer, given)]
        found = None
        if isinstance(first, Table):
            found = _of_ids(layer, first, self.pooled) or self._similar(layer, first)
        elif isinstance(layer, keras.layers.Concatenate) and layer.axis == 1:
            found = self._joined(first)
        elif isinstance(first, Value) and len(first.parts) > 1:
            found = self._by_fields(layer, first)
        return self._plain(layer, args, kwargs) if found is None else [found]

    def _similar(self, layer: Any, table: Table) -> Value | None:
        """Scores all items by what users have met, and takes those that are asked for."""
        if not isinstance(layer, SimilarItems):
            return None
        sides = table.side_of(layer.user_column), table.side_of(layer.item_column)
        if sides != ("user", "item"):
            return None
        of_all = layer.of_all_items(table.user[:, layer.user_column])
        items = tf.clip_by_value(self.take(table.item[:, layer.item_column]), 0, layer.item_num - 1)
        return Value([("pair", tf.reshape(tf.gather(of_all, items, axis=1), [-1, 1]))])

    def _joined(self, tables: Any) -> Value | None:
        """Keeps the fields of several tensors apart, each with its side."""
        if not all(isinstance(one, Value) for one in tables):
            return None
        return Value([part for one in tables for part in one.parts])

    def _by_fields(self, layer: Any, value: Value) -> Value | None:
        """Runs a layer on fields of both sides, without making pairs of them if possible."""
        if isinstance(layer, FIELDWISE):
            return Value([(side, layer(tensor)) for side, tensor in value.parts])
        fields = [tensor.shape[1] for _, tensor in value.parts]
        of_side = dict(value.parts)
        if (
            isinstance(layer, InnerProduct)
            and fields == [1, 1]
            and set(of_side) == {"user", "item"}
        ):
            left, right = of_side["user"][:, 0], self.take(of_side["item"])[:, 0]
            product = tf.matmul(left, right, transpose_b=True)
            return Value([("pair", tf.reshape(product, [-1, 1]))])
        return None

    def _plain(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> list[Value]:
        """Runs a layer as it is, on rows of one side or on pairs."""
        values = [one for one in keras.tree.flatten((args, kwargs)) if _is_value(one)]
        sides = {side for one in values for side in _sides(one)}
        side: Side = sides.pop() if len(sides) == 1 else "pair"

        def tensor(one: Any) -> Any:
            return self.merged(one, side).parts[0][1] if _is_value(one) else one

        args, kwargs = keras.tree.map_structure(tensor, (args, kwargs))
        if getattr(layer, "_call_has_training_arg", False):
            kwargs = {**kwargs, "training": False}
        outputs = keras.tree.flatten(layer(*args, **kwargs))
        return [Value([(side, output)]) for output in outputs]

    def merged(self, value: Any, side: Side) -> Value:
        """Returns a value as one tensor with the rows of a side or of pairs."""
        if isinstance(value, Table):
            if side != "pair":
                return Value([(side, value.rows(side))])
            left, right = self._spread("user", value.user), self._spread("item", value.item)
            return Value([(side, tf.where(value.of_items[None], right, left))])
        spread = [
            tensor if own == side else self._spread(own, tensor) for own, tensor in value.parts
        ]
        return Value([(side, spread[0] if len(spread) == 1 else tf.concat(spread, axis=1))])

    def _spread(self, side: Side, tensor: Any) -> Any:
        """Repeats rows of a side for all pairs, user by user."""
        if side == "pair":
            return tensor
        if side == "user":
            return tf.repeat(tensor, self.items, axis=0)
        tensor = self.take(tensor)
        return tf.tile(tensor, [self.users, *[1] * (len(tensor.shape) - 1)])


def _of_ids(layer: Any, table: Table, pooled: Mapping[int, Any]) -> Value | None:
    """Runs a layer that needs a column of one side at a time; None for another layer."""
    if isinstance(layer, Column):
        side = table.side_of(layer.index)
        return Value([(side, layer(table.rows(side)))])
    if isinstance(layer, StackedIds):
        sides = [table.side_of(column) for column in layer.columns]
        found = {side: layer(table.rows(side)) for side in set(sides)}
        return Value([(side, found[side][:, at : at + 1]) for at, side in enumerate(sides)])
    if id(layer) in pooled:
        side = table.side_of(layer.key_column)
        return Value([(side, tf.gather(pooled[id(layer)], table.rows(side)[:, layer.key_column]))])
    return None


def _is_value(one: Any) -> bool:
    return isinstance(one, Value | Table)


def _sides(one: Any) -> set[Side]:
    if isinstance(one, Table):
        whole: dict[bool, Side] = {True: "item", False: "user"}
        return {whole[bool(is_items)] for is_items in one.of_items}
    return {side for side, _ in one.parts}
