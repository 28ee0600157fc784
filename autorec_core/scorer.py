"""The scorer: preprocessing and model together. It turns raw rows into scores."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.data.encoding.hashing import one_piece
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.data.values import plain
from autorec_core.errors import DataError
from autorec_core.files import whole_folder, write_json
from autorec_core.registration import register_layers

if TYPE_CHECKING:
    import keras

MODEL_FILE = "model.keras"
MANIFEST = "scorer.json"
BATCH = 8192
SMALL = 64


@dataclass(frozen=True)
class Scorer:
    """A trained model with the preprocessing it was trained on.

    Args:
        preprocessor: Encodes raw rows in the same way as in training.
        model: The Keras model, which predicts a rating or a click probability for each row.
    """

    preprocessor: Preprocessor
    model: keras.Model

    @property
    def columns(self) -> list[str]:
        """The columns that rows must have."""
        return self.preprocessor.schema.columns

    @property
    def numeric(self) -> frozenset[str]:
        """The columns that hold numbers; the others hold categories."""
        return frozenset(self.preprocessor.numeric.names)

    @property
    def missing(self) -> tuple[str, ...]:
        """The words that mean a missing value, in any column."""
        return self.preprocessor.schema.missing

    def unknown_ids(self) -> UnknownIds:
        """Makes a counter of unknown ids to pass to `score`."""
        return UnknownIds(self.preprocessor.unknown_rate)

    def score(self, rows: pd.DataFrame, unknown: UnknownIds | None = None) -> np.ndarray:
        """Scores raw rows.

        Args:
            rows: The columns of the raw file that the model reads, in any order; other columns are
                ignored. Ids that are not in the training split are scored as unknown, with a
                warning if there are more of them than in the test split.
            unknown: Counts unknown ids; if given, there is no warning.

        Returns:
            float32, shape (rows,): predicted ratings, clipped to the range of the training
            ratings, or click probabilities.

        Raises:
            DataError: A column is missing, or a numeric column holds something else.
        """
        counted = self.unknown_ids() if unknown is None else unknown
        scores = self.score_encoded(self.preprocessor.encode(rows, counted).inputs(), len(rows))
        if unknown is None and (warning := counted.warning()):
            warnings.warn(warning, stacklevel=2)
        return scores

    def score_table(self, table: pa.Table, unknown: UnknownIds | None = None) -> np.ndarray:
        """Scores raw rows in an Arrow table, as `score` does but without a warning."""
        coded = {field.name for field in self.preprocessor.schema.categorical}
        columns = {
            name: (one_piece if name in coded else plain)(table[name]) for name in self.columns
        }
        encoded = self.preprocessor.encode_columns(columns, table.num_rows, unknown)
        return self.score_encoded(encoded.inputs(), table.num_rows)

    def score_lists(
        self, columns: Mapping[str, list[Any]], unknown: UnknownIds | None = None
    ) -> np.ndarray:
        """Scores raw rows given as a list of values for each column, as `score` but no warning.

        This is the fastest way to score a few rows.
        """
        few = {name: self.preprocessor.plain(name, columns[name]) for name in self.columns}
        unknown = self.unknown_ids() if unknown is None else unknown
        if any(column is None for column in few.values()):
            return self.score(pd.DataFrame(dict(columns), dtype=object), unknown)
        count = len(columns[self.columns[0]])
        encoded = self.preprocessor.encode_columns(few, count, unknown)
        return self.score_encoded(encoded.inputs(), count)

    def score_encoded(self, inputs: dict[str, np.ndarray], count: int) -> np.ndarray:
        """Scores `count` encoded rows, given as `Examples.inputs()` returns them."""
        parts = [self._batch(inputs, start) for start in range(0, count, BATCH)]
        return self.clipped(np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32))

    def clipped(self, scores: np.ndarray) -> np.ndarray:
        """Returns scores of the model in the range of the ratings."""
        schema = self.preprocessor.schema
        return np.clip(scores, *schema.label_range) if schema.task == "rating" else scores

    def _batch(self, inputs: dict[str, np.ndarray], start: int) -> np.ndarray:
        """Scores one batch, padded to a power of two.

        Results depend slightly on the shape of a batch, so few shapes make them repeatable.
        """
        batch = {name: array[start : start + BATCH] for name, array in inputs.items()}
        count = len(next(iter(batch.values())))
        size = max(SMALL, 1 << (count - 1).bit_length())
        padded = {
            name: np.concatenate([array, np.zeros((size - count, *array.shape[1:]), array.dtype)])
            if count < size
            else array
            for name, array in batch.items()
        }
        return self._compiled(padded)[:count]

    @cached_property
    def _compiled(self) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
        """The model as one TensorFlow graph for any number of rows, safe to call from threads."""
        import tensorflow as tf

        from autorec_core.mappers.history import pooled_once
        from autorec_core.training.prediction import model_inputs

        model = self.model
        specs = {
            node.name: tf.TensorSpec([None, *node.shape[1:]], node.dtype) for node in model.inputs
        }

        def forward(inputs: dict[str, Any]) -> Any:
            return tf.reshape(model(model_inputs(model, inputs), training=False), [-1])

        graph = tf.function(forward, input_signature=[specs], autograph=False)
        with pooled_once(model):
            graph = graph.get_concrete_function()
        return lambda arrays: graph(
            {name: tf.constant(arrays[name], spec.dtype) for name, spec in specs.items()}
        ).numpy()

    def save(self, folder: Path) -> None:
        """Writes model, preprocessing and the hashes of all files into a new folder."""
        with whole_folder(folder) as made:
            self.preprocessor.save(made)
            self.model.save(made / MODEL_FILE)
            write_json(made / MANIFEST, {"files": dict(_hashes(made))})

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Reads what `save` wrote, after it has compared every file with its hash.

        Raises:
            DataError: A file is missing or was changed.
        """
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{folder} does not contain a scorer: {error}.") from error
        found = dict(_hashes(folder))
        for name, expected in manifest["files"].items():
            if name not in found:
                raise DataError(f"{folder / name} is missing.")
            if found[name] != expected:
                raise DataError(
                    f"{folder / name} was changed: its SHA-256 differs from the recorded one."
                )
        register_layers()
        import keras

        # A scorer does not train: the optimizer's state stays on disk.
        model: Any = keras.saving.load_model(folder / MODEL_FILE, compile=False, safe_mode=True)
        return cls(Preprocessor.load(folder), model)


def _hashes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields the path inside the folder and the SHA-256 of each file except the manifest."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield path.relative_to(folder).as_posix(), digest
