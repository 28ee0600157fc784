"""Compiled candidates that stay in memory, so that a search builds and compiles fewer of them.

On few rows, compiling a model costs as much as training it. A training that goes on from its
checkpoint needs the same compiled model again. So does a candidate that differs from an earlier one
in numbers alone that the compiled model keeps in variables: the learning rate, its decay, the batch
size, and what `Block.ADAPTED` names.
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
"""What the variables of kept models may take, all together, in one process."""
_NOT_COMPILED = ("learning_rate", "decay", "batch_size", "least_steps")


class Compiled:
    """A candidate's compiled model, which also trains candidates with other numbers in it.

    Args:
        recommender: Resolved.
        train: The rows to learn from.
        seed: Decides the first weights.

    Raises:
        FailedTrial: The candidate's blocks do not fit together, or memory runs out.
    """

    def __init__(self, recommender: Recommender, train: Rows, seed: int) -> None:
        self._train = train
        self._seed = seed
        self._first_weights_of = _begins_as(recommender)
        self.model = build_model(recommender, seed)
        """The Keras model of the candidate that trains now."""
        self.rows = adapted(self.model, [train])
        """The training rows, with what layers want to know of each row."""
        size = recommender.training.rows_a_step(len(train))
        self.learner = learner_of(recommender, self.model, self.rows, size, seed)
        """Trains the candidate."""
        self.predictor = Predictor(self.model)
        """Predicts with the learner's weights."""
        self.reused = False
        """Whether an earlier trial has compiled it."""
        self.standing = float("inf")
        """How promising its last trial was; less is better."""
        self._first = self.learner.state()

    @property
    def size(self) -> int:
        """Bytes of its variables, and of the copy of their first values."""
        return 2 * sum(array.nbytes for array in self._first)

    def begin(self, recommender: Recommender) -> None:
        """Makes ready for the training of a candidate, from its first weights.

        Args:
            recommender: Resolved, and compiled as this model is.
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
        """Gives weights to the candidate's model.

        Args:
            weights: As `Learner.weights` gave them.
        """
        self.learner.set_weights(weights)
        if self.model is not self.learner.model:
            self.model.set_weights(list(weights))


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
    """Names all that decides a candidate's first weights, the seed excepted."""
    return json.dumps(recommender.get_config()["nodes"])


def _compiled_as(recommender: Recommender, seed: int) -> str:
    """Names all that decides a compiled model; numbers that are kept in variables do not."""
    config = recommender.get_config()
    training = {k: v for k, v in config["training"].items() if k not in _NOT_COMPILED}
    nodes = [
        {**node, "block": _without_adapted(node["block"])} if "block" in node else node
        for node in config["nodes"]
    ]
    return json.dumps([config["recommender"], nodes, training, seed])


def _without_adapted(config: Mapping[str, Any]) -> dict[str, Any]:
    """A block's config; of numbers that `adapt` puts into variables, whether they are zero."""
    adapted = Block.registry[config["block"]].ADAPTED
    return {name: bool(v) if name in adapted else v for name, v in config.items()}
