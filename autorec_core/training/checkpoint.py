"""The checkpoint of a training: it continues from there as if it had not been interrupted.

A checkpoint is the content of an uncompressed .npz file: arrays and one JSON text. Nothing is
pickled.
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
        step: The number of the evaluation, counted from 1; 0 before the first.
        metrics: All metrics of the task.
        weights: The weights of the model at that evaluation.
        path: The learning rates of the parts of epochs that led there.
    """

    score: float
    step: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    weights: Sequence[np.ndarray] = ()
    path: tuple[float, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after one of its evaluations.

    The order of rows is not part of it, because it depends only on the seed and the epoch.

    Args:
        belongs: Everything that decides the training, as text: recommender, seed, patience, ...
        state: All variables that change in training: weights, random states of dropout, moments
            and step count of the optimizer.
        best: The best evaluation so far.
        path: The learning rates of the parts of epochs that led to the weights of `state`.
        learning_rate: The current learning rate.
        waited: How many evaluations in a row have brought no improvement.
        curve: One row for each evaluation.
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
        """How many evaluations there have been."""
        return len(self.curve)

    def to_bytes(self) -> bytes:
        """Returns the checkpoint as the content of an .npz file."""
        arrays = {f"state {place}": array for place, array in enumerate(self.state)}
        places = {_key(array): name for name, array in arrays.items()}
        # After an improvement or a return to the best weights, these arrays are equal.
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
        """Reads what `to_bytes` returned.

        Raises:
            DataError: The content is damaged.
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
    """Returns a key that differs for arrays with different content."""
    digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16)
    return array.dtype.str, array.shape, digest.digest()


def _place(name: str) -> int:
    return int(name.rpartition(" ")[2])
