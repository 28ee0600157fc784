"""The elementwise interaction: vectors combined element by element."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, aligned, product

OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "sum": functools.partial(keras.ops.sum, axis=1),
    "average": functools.partial(keras.ops.mean, axis=1),
    "multiply": product,
    "max": functools.partial(keras.ops.max, axis=1),
    "min": functools.partial(keras.ops.min, axis=1),
}


@dataclass(frozen=True, kw_only=True)
class ElementwiseInteraction(Interactor):
    """Combines vectors element by element. The product of two vectors is the GMF tower of NeuMF.

    Inputs of different widths are mapped to the smallest. A single input of rank 3 is combined over
    its fields.

    Args:
        operation: "sum", "average", "multiply", "max" or "min".

    Returns:
        Tensor of shape (batch_size, smallest width).

    References:
        [He et al., 2017](https://arxiv.org/abs/1708.05031)
    """

    operation: str = choice(
        "sum", "average", "multiply", "max", "min", default="average", among=OPERATIONS
    )

    def narrowed(self, fields: int) -> Interactor | None:
        """Returns None for one vector, which every operation returns as it is, as concatenation."""
        return self if fields > 1 else None

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the operation over the aligned inputs."""
        return Elementwise(self.operation)(aligned(inputs))


@keras.saving.register_keras_serializable(package="autorec")
class Elementwise(keras.layers.Layer):
    """Applies one operation over the fields.

    Args:
        operation: A name of `OPERATIONS`.
    """

    def __init__(self, operation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation = operation

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, dim)."""
        return OPERATIONS[self.operation](inputs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "operation": self.operation}
