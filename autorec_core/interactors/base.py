"""The base class of interactors, and the three ways to bring their inputs to one shape."""

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
    """A block that combines feature vectors.

    Inputs are tensors of rank 2, (batch_size, width), or rank 3, (batch_size, fields, dim). An
    interactor brings several inputs to one shape by one of three functions: `flat`, `aligned` or
    `fields`. If widths must be equal but are not, a trained linear map without bias changes them.

    `searched` says whether a HyperInteraction may choose this interactor.
    """

    searched: ClassVar[bool] = True

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns this interactor without choices that have no effect on this number of vectors.

        Args:
            fields: Number of vectors that it will be called on.

        Returns:
            The interactor; None if it has no effect or the same effect as another interactor.
        """
        return self


def flat(tensors: Sequence[Any]) -> Any:
    """Flattens and concatenates all inputs, shape (batch_size, sum of widths)."""
    flattened = [_flattened(tensor) for tensor in checked(tensors)]
    return flattened[0] if len(flattened) == 1 else keras.layers.Concatenate()(flattened)


def aligned(tensors: Sequence[Any]) -> Any:
    """Stacks the inputs, each as one vector, shape (batch_size, inputs, width).

    Inputs of rank 3 are flattened first, and wider vectors are mapped to the smallest width. A
    single input of rank 3 is returned as it is: its fields are the vectors.
    """
    if len(checked(tensors)) == 1 and len(tensors[0].shape) == 3:
        return tensors[0]
    return fields([_flattened(tensor) for tensor in tensors])


def fields(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Stacks the fields of all inputs, shape (batch_size, sum of fields, dim).

    An input of rank 2 is one field.

    Args:
        tensors: Tensors of rank 2 or 3.
        dim: The width to which fields of another width are mapped; 0 for the smallest width.
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
    """Multiplies all fields elementwise, (batch_size, fields, dim) to (batch_size, dim).

    `keras.ops.prod` is not used, because its gradient on TensorFlow takes ten times as long as the
    rest of an inner product.
    """
    return functools.reduce(keras.ops.multiply, keras.ops.unstack(table, axis=1))


def checked(tensors: Sequence[Any]) -> Sequence[Any]:
    """Checks that an interactor can work with the inputs, and returns them.

    Raises:
        BlockError: There is no input, or one has a wrong shape or holds ids.
    """
    if not tensors:
        raise BlockError("It needs at least one input tensor. Received: none.")
    for tensor in tensors:
        shape = tuple(tensor.shape)
        if len(shape) not in (2, 3) or not all(shape[1:]):
            raise BlockError(
                "It works on tensors of shape (batch_size, width) or (batch_size, fields, dim). "
                f"Received: {shape}."
            )
        if holds_ids(tensor):
            raise BlockError(
                "It works on feature vectors, not on ids. Put a mapper before it. "
                f"Received: {tensor.dtype} of shape {shape}."
            )
    return tensors


def _flattened(tensor: Any) -> Any:
    return tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor)
