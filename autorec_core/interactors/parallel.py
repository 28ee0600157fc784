"""Several interactors in parallel."""

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


ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Parallel(Interactor):
    """Several interactors in parallel: the result of a HyperInteraction's search.

    Args:
        branches: The interactors; if empty, the inputs are returned unchanged.
        inputs: For each branch, the inputs that it is called on: "all", or their places counted
            from 0 ("0,2"). If empty, all branches are called on all inputs.

    Returns:
        One tensor for each branch.
    """

    searched: ClassVar[bool] = False

    branches: tuple[Interactor, ...]
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "branches", tuple(self.branches))
        object.__setattr__(self, "inputs", tuple(self.inputs) or (ALL,) * len(self.branches))
        if len(self.inputs) != len(self.branches):
            raise BlockError(
                f"Parallel needs `inputs` for each of its {len(self.branches)} branches. "
                f"Received: {len(self.inputs)}."
            )
        for taken in self.inputs:
            places(taken)
        for branch in self.branches:
            if not isinstance(branch, Interactor):
                raise BlockError(
                    f"The branches of Parallel must be interactors. Received: {branch!r}."
                )

    def resolve(self, hp: keras_tuner.HyperParameters) -> Parallel:
        """Resolves every branch in a name scope of its class and place: `fm_interaction_0`."""
        resolved: list[Any] = []
        for position, branch in enumerate(self.branches):
            with hp.name_scope(f"{snake_case(type(branch).__name__)}_{position}"):
                resolved.append(branch.resolve(hp))
        return dataclasses.replace(self, branches=tuple(resolved))

    def connect(self, inputs: Sequence[Any]) -> list[Any]:
        """Builds every branch on its inputs."""
        if not self.branches:
            return list(inputs)
        outputs: list[Any] = []
        for branch, taken in zip(self.branches, self.inputs, strict=True):
            output = branch.connect(_picked(inputs, places(taken)))
            outputs += output if isinstance(output, list) else [output]
        return outputs


def places(taken: str) -> list[int] | None:
    """Returns the places in a text such as "0,2"; None for "all".

    Raises:
        BlockError: The text is neither "all" nor a list of places.
    """
    if taken == ALL:
        return None
    found = taken.split(",") if isinstance(taken, str) else [""]
    if not all(place.strip().isdecimal() for place in found):
        raise BlockError(
            f'The inputs of a branch must be "all", or places counted from 0 such as "0,2". '
            f"Received: {taken!r}."
        )
    return [int(place) for place in found]


def _picked(inputs: Sequence[Any], wanted: list[int] | None) -> Sequence[Any]:
    if wanted is None:
        return inputs
    if max(wanted) >= len(inputs):
        raise BlockError(
            f"A branch uses input {max(wanted)}, but there are only inputs 0 to {len(inputs) - 1}."
        )
    return [inputs[place] for place in wanted]
