"""The recipe: how a candidate is trained, searched with it because tuning often beats structure."""

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
        learning_rate: Its step size, at the start.
        decay: The factor the learning rate is multiplied with when the validation objective
            plateaus; 1.0 keeps it.
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
    learning_rate: float = choice(0.001, 0.003, default=0.003, above=0)
    decay: float = choice(0.1, 0.3, default=0.3, above=0, most=1)
    batch_size: int = choice(256, 1024, default=1024, least=1)
    least_steps: int = bounded(1, least=1)

    def rows_a_step(self, rows: int) -> int:
        """The batch size for `rows` training rows."""
        size = self.batch_size
        while size > 1 and -(-rows // size) < self.least_steps:
            size //= 2
        return size

    def effective(self, rows: int, *, evaluations: int, patience: int) -> Training:
        """These settings, with what decides nothing in such a training set to one value.

        Args:
            rows: Training rows.
            evaluations: The most evaluations that a candidate gets.
            patience: Evaluations without improvement before it stops.
        """
        decays = _may_decay(evaluations, patience)
        size = min(self.rows_a_step(rows), rows)
        return dataclasses.replace(
            self, decay=self.decay if decays else 1.0, batch_size=size, least_steps=1
        )

    def narrowed(self, *, rows: int, evaluations: int, patience: int) -> Training:
        """These settings without the choices that would decide nothing in a training.

        Batch sizes are given as the sizes that are really taken, each once.

        Args:
            rows: Number of training rows.
            evaluations: The most evaluations that a candidate gets.
            patience: Evaluations without improvement before it stops.
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
        """The Keras optimizer that these settings describe."""
        import keras

        return keras.optimizers.get(
            {"class_name": self.optimizer, "config": {"learning_rate": self.learning_rate}}
        )


def _may_decay(evaluations: int, patience: int) -> bool:
    """Whether a lower learning rate can still matter in a training.

    It decays after an evaluation without improvement that does not end the training, and counts
    only if another evaluation follows.
    """
    return patience >= 2 and evaluations >= 3
