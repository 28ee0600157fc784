"""The recipe: how a candidate is trained, searched with it because tuning often beats structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from autorec_core.block import Block, choice

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Training(Block):
    """The settings of one candidate's training.

    Args:
        optimizer: The Keras optimizer's name.
        learning_rate: Its step size, at the start.
        decay: The factor the learning rate is multiplied with when the validation objective has
            next to stopped improving; 1.0 keeps it.
        batch_size: Rows a step.
        least_steps: Steps of an epoch, at least: of fewer rows the batch size is halved until there
            are as many.
    """

    THESIS: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "decay": 1.0,
        "batch_size": 1024,
    }

    optimizer: str = "adam"
    learning_rate: float = choice(0.001, 0.003, default=0.003)
    decay: float = choice(0.1, 0.3, default=0.3)
    batch_size: int = choice(256, 1024, default=1024)
    least_steps: int = 1

    def __post_init__(self) -> None:
        self.require("learning_rate", above=0)
        self.require("decay", above=0, most=1)
        self.require("batch_size", least=1)
        self.require("least_steps", least=1)

    def rows_a_step(self, rows: int) -> int:
        """The batch size for `rows` training rows."""
        size = self.batch_size
        while size > 1 and -(-rows // size) < self.least_steps:
            size //= 2
        return size

    def effective(self, rows: int, *, patience: int, evaluations: int) -> Training:
        """These settings, with what decides nothing in such a training set to one value.

        Args:
            rows: Training rows.
            patience: Evaluations without improvement that end the training.
            evaluations: The most evaluations that there are.
        """
        decays = patience > 1 and evaluations > 1  # else the training ends where it would decay
        size = min(self.rows_a_step(rows), rows)
        return dataclasses.replace(
            self, decay=self.decay if decays else 1.0, batch_size=size, least_steps=1
        )

    def keras_optimizer(self) -> keras.optimizers.Optimizer:
        """The Keras optimizer that these settings describe."""
        import keras

        return keras.optimizers.get(
            {"class_name": self.optimizer, "config": {"learning_rate": self.learning_rate}}
        )
