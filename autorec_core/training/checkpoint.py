"""A training in progress as one block of bytes, from which it goes on to the bit.

The bytes are an uncompressed .npz file: arrays, and one JSON text. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from autorec_core.errors import DataError

_NOTES = "notes"


@dataclass(frozen=True)
class Best:
    """The best evaluation so far.

    Args:
        score: The objective.
        step: Which evaluation, counted from 1; 0 before the first.
        metrics: All metrics of the task.
        weights: The model's weights then.
        path: The learning rate of each part of the way there.
    """

    score: float
    step: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    weights: Sequence[np.ndarray] = ()
    path: tuple[float, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """A training after one of its evaluations.

    The order of rows needs no state: it is a function of the seed and the epoch's number.

    Args:
        belongs: What decides the training, as text: recommender, seed, batch size, patience.
        state: All variables that change in training: weights, the states of dropout's random
            generators, the optimizer's moments and step count.
        best: The best evaluation so far.
        path: The learning rate of each part of the way to the weights of `state`.
        learning_rate: The step size from here on.
        waited: Evaluations in a row without improvement.
        curve: One row an evaluation.
        untrained: The metrics of the first weights.
    """

    belongs: str
    state: Sequence[np.ndarray]
    best: Best
    path: tuple[float, ...]
    learning_rate: float
    waited: int
    curve: tuple[dict[str, float], ...]
    untrained: Mapping[str, float]

    @property
    def steps(self) -> int:
        """How many evaluations it has had."""
        return len(self.curve)

    def to_bytes(self) -> bytes:
        """The content of the .npz file that holds it."""
        arrays = {f"state {place}": array for place, array in enumerate(self.state)}
        places = {_key(array): name for name, array in arrays.items()}
        # After an improvement, and after a return to the best weights, these are the same arrays.
        named = []
        for place, array in enumerate(self.best.weights):
            name = places.get(_key(array), f"best {place}")
            arrays.setdefault(name, array)
            named.append(name)
        notes = {
            "belongs": self.belongs,
            "path": self.path,
            "learning_rate": self.learning_rate,
            "waited": self.waited,
            "curve": self.curve,
            "untrained": dict(self.untrained),
            "best": {**_without_weights(self.best), "weights": named},
        }
        content = io.BytesIO()
        text = np.frombuffer(json.dumps(notes).encode(), np.uint8)
        np.savez(content, allow_pickle=False, **{_NOTES: text}, **arrays)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """The checkpoint that `to_bytes` has written.

        Raises:
            DataError: It is damaged.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = dict(file.items())
            notes = json.loads(arrays.pop(_NOTES).tobytes())
            best = notes.pop("best")
            weights = [arrays[name] for name in best.pop("weights")]
            names = sorted((n for n in arrays if n.startswith("state ")), key=_place)
            return cls(
                state=[arrays[name] for name in names],
                best=Best(**{**best, "weights": weights, "path": tuple(best["path"])}),
                **{**notes, "path": tuple(notes["path"]), "curve": tuple(notes["curve"])},
            )
        except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"The checkpoint is damaged: {error}.") from error


def _without_weights(best: Best) -> dict[str, Any]:
    return asdict(Best(best.score, best.step, dict(best.metrics), (), best.path))


def _key(array: np.ndarray) -> tuple[Any, ...]:
    """What tells arrays of different content apart."""
    digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16)
    return array.dtype.str, array.shape, digest.digest()


def _place(name: str) -> int:
    return int(name.rpartition(" ")[2])
