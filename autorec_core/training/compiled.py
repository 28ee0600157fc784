"""Compiled candidates that stay in memory, so that a search builds and compiles fewer of them.

On few rows, building and compiling a model costs as much as training it. A training that goes on
from its checkpoint needs the same compiled model again. So does a candidate that differs from an
earlier one in nothing but the learning rate and its decay.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import keras
import numpy as np

from autorec_core.recommender import Recommender
from autorec_core.training.learner import Learner, build_model
from autorec_core.training.prediction import Predictor
from autorec_core.training.rows import Rows
from autorec_core.training.untrained import adapted

MOST_MODELS = 24
MOST_BYTES = 512 * 2**20
"""What the variables of kept models may take, all together, in one process."""
_OF_TRAINING_ALONE = ("learning_rate", "decay")


@dataclass
class Compiled:
    """A candidate's model, compiled, and what it needs to train from the begin again.

    Args:
        learner: Trains the model.
        predictor: Predicts with it.
        rows: The training rows, with what layers want to know of each row.
        first: The state of the learner before its first step.
        reused: Whether an earlier trial has compiled it.
        standing: How promising its last trial was; less is better.
    """

    learner: Learner
    predictor: Predictor
    rows: Sequence[Rows]
    first: list[np.ndarray]
    reused: bool = False
    standing: float = float("inf")

    @classmethod
    def of(cls, recommender: Recommender, train: Rows, seed: int) -> Self:
        """Builds a resolved recommender's model.

        Args:
            recommender: Resolved.
            train: The rows to learn from.
            seed: Decides the first weights.

        Raises:
            FailedTrial: The candidate's blocks do not fit together, or memory runs out.
        """
        model = build_model(recommender, seed)
        rows = adapted(model, [train])
        learner = Learner(recommender, model, recommender.training.rows_a_step(len(train)))
        return cls(learner, Predictor(model), rows, [])

    @property
    def model(self) -> keras.Model:
        """The Keras model."""
        return self.learner.model

    @property
    def size(self) -> int:
        """Bytes of its variables, and of the copy of their first values."""
        return 2 * sum(array.nbytes for array in self.first)

    def begin(self, recommender: Recommender) -> None:
        """Goes back to the first weights.

        Args:
            recommender: As given to `of`, but for the learning rate and its decay.
        """
        if self.reused:
            self.learner.restore(self.first)
            self.learner.learning_rate = recommender.training.learning_rate


@dataclass
class CompiledModels:
    """The compiled models of one search, in one process.

    While there are too many, or they are too large, the least promising one is dropped. Its
    trainings then go on from their checkpoints in a model that is built again: the result is the
    same, to the bit.

    Args:
        most: At most so many models.
        most_bytes: What their variables may take.
    """

    most: int = MOST_MODELS
    most_bytes: int = MOST_BYTES
    _kept: dict[str, Compiled] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._kept)

    @contextmanager
    def lent(self, recommender: Recommender, train: Rows, seed: int) -> Iterator[Compiled]:
        """Lends the compiled model of a candidate, and keeps it afterwards.

        A model whose training ends with an error is not kept.

        Args:
            recommender: Resolved.
            train: The rows to learn from; the same for all candidates.
            seed: Decides the first weights.

        Raises:
            FailedTrial: As in `Compiled.of`.
        """
        name = _compiled_as(recommender, seed)
        with self._lock:
            compiled = self._kept.pop(name, None)
        if compiled is None:
            compiled = Compiled.of(recommender, train, seed)
            compiled.first = compiled.learner.state()
        else:
            compiled.reused = True
        yield compiled
        with self._lock:
            self._kept[name] = compiled
            self._drop()

    def _drop(self) -> None:
        while self._kept and (
            len(self._kept) > self.most
            or sum(one.size for one in self._kept.values()) > self.most_bytes
        ):
            worst = max(self._kept, key=lambda name: self._kept[name].standing)
            del self._kept[worst]


def _compiled_as(recommender: Recommender, seed: int) -> str:
    """Names all that decides a compiled model and its first weights."""
    config = recommender.get_config()
    training = {
        name: value
        for name, value in config["training"].items()
        if name not in _OF_TRAINING_ALONE
    }
    return json.dumps([{**config, "training": training}, seed], sort_keys=True)
