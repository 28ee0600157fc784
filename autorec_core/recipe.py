"""The recipe: how a candidate is trained.

It is searched together with the model, because the recipe often matters more than the structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from autorec_core.block import Block, Choice, bounded, candidates, choice

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Training(Block):
    """The settings of one candidate's training.

    Args:
        optimizer: The Keras optimizer's name.
        learning_rate: The learning rate at the start.
        decay: The factor by which the learning rate is multiplied when the validation objective
            plateaus; 1.0 never changes it.
        batch_size: Rows in one step.
        least_steps: The fewest steps in an epoch. If there are too few rows for that, the batch
            size is halved until there are that many steps.
    """

    THESIS: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "decay": 1.0,
        "batch_size": 1024,
    }

    optimizer: str = "adam"
    learning_rate: float = choice(0.001, 0.003, default=0.003, above=0)
    decay: float = choice(0.1, 0.3, default=0.3, above=0, most=1)
    batch_size: int = choice(256, 1024, default=1024, least=1)
    least_steps: int = bounded(1, least=1)

    def rows_a_step(self, rows: int) -> int:
        """Returns the batch size for `rows` training rows, given `least_steps`."""
        size = self.batch_size
        while size > 1 and -(-rows // size) < self.least_steps:
            size //= 2
        return size

    def effective(self, rows: int, *, evaluations: int, patience: int) -> Training:
        """Returns these settings with the real batch size, and decay 1.0 if it has no effect.

        Two candidates with the same effective settings are trained in the same way.

        Args:
            rows: Number of training rows.
            evaluations: The most evaluations that a candidate gets.
            patience: Evaluations without improvement before training stops.
        """
        decays = _may_decay(evaluations, patience)
        size = min(self.rows_a_step(rows), rows)
        return dataclasses.replace(
            self, decay=self.decay if decays else 1.0, batch_size=size, least_steps=1
        )

    def narrowed(self, *, rows: int, evaluations: int, patience: int) -> Training:
        """Returns these settings without the choices that have no effect in a training.

        The candidates for the batch size become the sizes that training would really use.

        Args:
            rows: Number of training rows.
            evaluations: The most evaluations that a candidate gets.
            patience: Evaluations without improvement before training stops.
        """
        changes: dict[str, Any] = {}
        if isinstance(self.batch_size, Choice):
            taken = {
                size: min(dataclasses.replace(self, batch_size=size).rows_a_step(rows), rows)
                for size in candidates(self.batch_size)
            }
            changes["batch_size"] = dataclasses.replace(
                self.batch_size,
                values=tuple(dict.fromkeys(taken.values())),
                default=taken[self.batch_size.default],
            )
        if isinstance(self.decay, Choice) and not _may_decay(evaluations, patience):
            changes["decay"] = 1.0
        return dataclasses.replace(self, **changes)

    def keras_optimizer(self) -> keras.optimizers.Optimizer:
        """Makes the Keras optimizer."""
        import keras

        return keras.optimizers.get(
            {"class_name": self.optimizer, "config": {"learning_rate": self.learning_rate}}
        )


def _may_decay(evaluations: int, patience: int) -> bool:
    """Returns whether the decay of the learning rate can have an effect.

    The rate decays after an evaluation without improvement that does not end the training. It has
    an effect only if another evaluation follows.
    """
    return patience >= 2 and evaluations >= 3
