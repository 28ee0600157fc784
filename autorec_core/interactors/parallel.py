"""Interactors side by side on the same inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from autorec_core.block import snake_case
from autorec_core.errors import BlockError
from autorec_core.interactors.base import Interactor

if TYPE_CHECKING:
    import keras_tuner


@dataclass(frozen=True, kw_only=True)
class Parallel(Interactor):
    """Interactors side by side, each on all inputs: what a HyperInteraction decides for.

    Args:
        branches: The interactors; with none, the inputs pass as they are.

    Returns:
        One tensor a branch.
    """

    searched: ClassVar[bool] = False

    branches: tuple[Interactor, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", tuple(self.branches))
        for branch in self.branches:
            if not isinstance(branch, Interactor):
                raise BlockError(f"The branches of Parallel are interactors. Received: {branch!r}.")

    def resolve(self, hp: keras_tuner.HyperParameters) -> Parallel:
        """Every branch resolved under its class and place: `fm_interaction_0`."""
        resolved: list[Any] = []
        for position, branch in enumerate(self.branches):
            with hp.name_scope(f"{snake_case(type(branch).__name__)}_{position}"):
                resolved.append(branch.resolve(hp))
        return dataclasses.replace(self, branches=tuple(resolved))

    def connect(self, inputs: Sequence[Any]) -> list[Any]:
        """Builds every branch on all inputs."""
        if not self.branches:
            return list(inputs)
        outputs: list[Any] = []
        for branch in self.branches:
            output = branch.connect(inputs)
            outputs += output if isinstance(output, list) else [output]
        return outputs
