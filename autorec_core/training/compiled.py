"""Compiled models that stay in memory, so that a search compiles fewer of them.

With few rows, compiling a model takes as long as training it. A training that continues from its
checkpoint needs the same compiled model again. So does a candidate that differs from an earlier one
only in numbers that the compiled model keeps in variables: the learning rate, its decay, the batch
size, and the fields in `Block.ADAPTED`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autorec_core.block import Block
from autorec_core.recommender import Recommender
from autorec_core.training.learner import build_model, learner_of
from autorec_core.training.prediction import Predictor
from autorec_core.training.rows import Rows
from autorec_core.training.untrained import adapted

MOST_MODELS = 24
MOST_BYTES = 512 * 2**20
"""How many bytes the variables of all kept models may take in one process."""
_NOT_COMPILED = ("learning_rate", "decay", "batch_size", "least_steps")


class Compiled:
    """The compiled model of a candidate. It can also train candidates with other numbers.

    Args:
        recommender: The recommender, without open settings.
        train: The training rows.
        seed: The seed of the first weights.

    Raises:
        FailedTrial: The blocks of the candidate do not fit together, or memory ran out.
    """

    def __init__(self, recommender: Recommender, train: Rows, seed: int) -> None:
        self._train = train
        self._seed = seed
        self._first_weights_of = _begins_as(recommender)
        self.model = build_model(recommender, seed)
        """The Keras model of the candidate that trains now."""
        self.rows = adapted(self.model, [train])
        """The training rows, with the values that layers need for each row."""
        size = recommender.training.rows_a_step(len(train))
        self.learner = learner_of(recommender, self.model, self.rows, size, seed)
        """Trains the candidate."""
        self.predictor = Predictor(self.model)
        """Predicts with the weights of the learner."""
        self.reused = False
        """Whether an earlier trial has compiled this model."""
        self.standing = float("inf")
        """The score of the last trial of this model; less is better."""
        self._first = self.learner.state()

    @property
    def size(self) -> int:
        """The size of the variables and of the copy of their first values, in bytes."""
        return 2 * sum(array.nbytes for array in self._first)

    def begin(self, recommender: Recommender) -> None:
        """Sets the first weights of a candidate, so that its training can start.

        Args:
            recommender: The recommender, without open settings. It must fit this compiled model.
        """
        if not self.reused:
            return
        named = _begins_as(recommender)
        if named != self._first_weights_of:
            self._first_weights_of = named
            self.model = build_model(recommender, self._seed)
            adapted(self.model, [self._train])
            values = [variable.value.numpy() for variable in self.model.variables]
            self._first = [*values, *self._first[len(values) :]]
        self.learner.restore(self._first)
        self.learner.learning_rate = recommender.training.learning_rate
        self.learner.batch_size = recommender.training.rows_a_step(len(self._train))

    def end(self, weights: Sequence[np.ndarray]) -> None:
        """Sets the weights of the model of the candidate.

        Args:
            weights: The weights, from `Learner.weights`.
        """
        self.learner.set_weights(weights)
        if self.model is not self.learner.model:
            self.model.set_weights(list(weights))


@dataclass
class CompiledModels:
    """The compiled models of one search, in one process.

    If there are too many or they are too large, the one with the worst score is removed. Its
    trainings then continue from their checkpoints in a model that is built again. The result is
    exactly the same.

    Args:
        most: The largest number of models.
        most_bytes: The largest size of all their variables together.
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
            recommender: The recommender, without open settings.
            train: The training rows, the same for all candidates.
            seed: The seed of the first weights.

        Raises:
            FailedTrial: As in `Compiled`.
        """
        name = _compiled_as(recommender, seed)
        with self._lock:
            compiled = self._kept.pop(name, None)
        if compiled is None:
            compiled = Compiled(recommender, train, seed)
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


def _begins_as(recommender: Recommender) -> str:
    """Returns as text everything that decides the first weights of a candidate, except the seed."""
    return json.dumps(recommender.get_config()["nodes"])


def _compiled_as(recommender: Recommender, seed: int) -> str:
    """Returns as text everything that decides a compiled model, without numbers in variables."""
    config = recommender.get_config()
    training = {k: v for k, v in config["training"].items() if k not in _NOT_COMPILED}
    nodes = [
        {**node, "block": _without_adapted(node["block"])} if "block" in node else node
        for node in config["nodes"]
    ]
    return json.dumps([config["recommender"], nodes, training, seed])


def _without_adapted(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the config of a block; numbers that `adapt` keeps in variables become booleans."""
    adapted = Block.registry[config["block"]].ADAPTED
    return {name: bool(v) if name in adapted else v for name, v in config.items()}
