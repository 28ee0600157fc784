"""What every interactor shares: the base class, and the rules that bring inputs to one shape."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import Block, holds_ids
from autorec_core.errors import BlockError


@dataclass(frozen=True, kw_only=True)
class Interactor(Block):
    """A block from feature vectors to information.

    Inputs are tensors of rank 2, (batch_size, width), or rank 3, (batch_size, fields, dim). How an
    interactor brings several of them to one shape is one of three rules: `flat`, `aligned` and
    `fields`. Where widths must agree and do not, a trained linear map without bias makes them.

    `searched` says whether a HyperInteraction may choose it.
    """

    searched: ClassVar[bool] = True

    def narrowed(self, fields: int) -> Interactor | None:
        """This interactor without choices that decide nothing between so many vectors.

        Args:
            fields: Number of the vectors that it will be called on.

        Returns:
            The interactor, or None where another one does the same to them, or it does nothing.
        """
        return self


def flat(tensors: Sequence[Any]) -> Any:
    """All inputs side by side, shape (batch_size, sum of widths)."""
    flattened = [_flattened(tensor) for tensor in checked(tensors)]
    return flattened[0] if len(flattened) == 1 else keras.layers.Concatenate()(flattened)


def aligned(tensors: Sequence[Any]) -> Any:
    """Each input as one vector, shape (batch_size, inputs, width).

    Inputs of rank 3 are flattened first, and wider vectors mapped to the narrowest width. A single
    input of rank 3 stands for its fields.
    """
    if len(checked(tensors)) == 1 and len(tensors[0].shape) == 3:
        return tensors[0]
    return fields([_flattened(tensor) for tensor in tensors])


def fields(tensors: Sequence[Any], dim: int = 0) -> Any:
    """All inputs' fields below each other, shape (batch_size, sum of fields, dim).

    An input of rank 2 is one field.

    Args:
        tensors: Tensors of rank 2 or 3.
        dim: The width to which the fields of another width are mapped; 0 for the narrowest.
    """
    tables = [
        tensor if len(tensor.shape) == 3 else keras.layers.Reshape((1, tensor.shape[-1]))(tensor)
        for tensor in checked(tensors)
    ]
    width = dim or min(table.shape[-1] for table in tables)
    tables = [
        table if table.shape[-1] == width else keras.layers.Dense(width, use_bias=False)(table)
        for table in tables
    ]
    return tables[0] if len(tables) == 1 else keras.layers.Concatenate(axis=1)(tables)


def product(table: Any) -> Any:
    """The elements' product over the fields, (batch_size, fields, dim) to (batch_size, dim).

    Multiplied one by one: the gradient that Keras' own product has on TensorFlow takes cumulative
    products both ways, ten times as long as all the rest of an inner product.
    """
    return functools.reduce(keras.ops.multiply, keras.ops.unstack(table, axis=1))


def checked(tensors: Sequence[Any]) -> Sequence[Any]:
    """The inputs, where an interactor can work with them.

    Raises:
        BlockError: There is none, one is neither a vector nor a table of fields a row, or it holds
            ids.
    """
    if not tensors:
        raise BlockError("It is called on no tensor at all; it needs at least one.")
    for tensor in tensors:
        shape = tuple(tensor.shape)
        if len(shape) not in (2, 3) or not all(shape[1:]):
            raise BlockError(
                "It works on tensors of shape (batch_size, width) or (batch_size, fields, dim). "
                f"Received: {shape}."
            )
        if holds_ids(tensor):
            raise BlockError(
                "It works on feature vectors, and ids are none: put a mapper between. "
                f"Received: {tensor.dtype} of shape {shape}."
            )
    return tensors


def _flattened(tensor: Any) -> Any:
    return tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor)
