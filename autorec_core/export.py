"""Exports a scorer for programs without Python: a graph from raw rows to scores."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from autorec_core.data.canonical import RULES
from autorec_core.data.encoding.numeric import LIMIT, QUANTILES, NumericTransform
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.side_columns import SideColumns
from autorec_core.data.encoding.vocabulary import UNKNOWN, Vocabulary
from autorec_core.data.schema import ListField
from autorec_core.data.spelled import missing_numbers
from autorec_core.errors import DataError
from autorec_core.files import whole_folder, write_json
from autorec_core.scorer import MODEL_FILE, Scorer
from autorec_core.training.prediction import model_inputs

SAVED_MODEL = "saved_model"
VERSION = "1"
OUTPUT = "score"
INPUTS = "inputs.json"


def export_scorer(scorer: Scorer, folder: Path) -> None:
    """Writes a scorer as `model.keras`, which takes encoded rows, and as `saved_model/1`.

    The SavedModel's signature `serving_default` takes a tensor of shape (rows,) for each column.
    Categorical columns are strings, "" if missing. Multi-valued columns are strings too, with the
    separator between categories. Numeric columns are float64, NaN if missing. The output is
    `score`, float32, shape (rows,). An input has the name of its column, unless TensorFlow does not
    allow that name (see `input_names`); `inputs.json` gives the input of each column.

    The graph brings texts to their canonical form by `canonical.RULES`: " 115.0" becomes "115" and
    "True" becomes "true". Replacements alone cannot do everything, so callers must bring some
    values to their canonical form: a number with an exponent as digits (10000000000000000, not
    1e+16), a time with an offset as UTC (2024-03-26 13:00:00Z, not 14:00:00+01:00), and the times
    of a numeric column as seconds since 1970.

    Args:
        scorer: The scorer.
        folder: The folder to create. It appears whole or not at all.

    Raises:
        DataError: The model has time features.
    """
    if scorer.preprocessor.times is not None:
        raise DataError(
            "A model with time features cannot be exported: its graph would need the times of all "
            "training rows. Train without `time_features`, or score with MLflow."
        )
    raw = RawScorer(scorer)
    with whole_folder(folder) as made:
        scorer.model.save(made / MODEL_FILE)
        tf.saved_model.save(
            raw,
            str(made / SAVED_MODEL / VERSION),
            signatures={"serving_default": raw.score.get_concrete_function()},
        )
        write_json(made / INPUTS, raw.inputs)


class RawScorer(tf.Module):
    """A scorer as one TensorFlow graph from raw columns to scores.

    Args:
        scorer: The scorer.
    """

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        preprocessor = scorer.preprocessor
        self._schema, self._numeric = preprocessor.schema, preprocessor.numeric
        self.model = scorer.model
        self.tables = {name: _table(one) for name, one in preprocessor.vocabularies.items()}
        self._missing = {name: _missing_id(one) for name, one in preprocessor.vocabularies.items()}
        self._sides = [_Side(one, preprocessor) for one in preprocessor.side_columns]
        types = {
            name: tf.string if name in preprocessor.vocabularies else tf.float64
            for name in self._schema.columns
        }
        self.inputs = input_names(list(types))
        columns = {
            name: tf.TensorSpec([None], kind, name=self.inputs[name])
            for name, kind in types.items()
        }
        self.score = tf.function(self._score, input_signature=[columns], autograph=False)

    def _score(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs: dict[str, Any] = {}
        columns = {name: self._known(column) for name, column in columns.items()}
        joined: dict[str, tf.Tensor] = {}
        for side in self._sides:
            joined |= side.columns(_canonical(columns[side.joins]))
        ids = [
            joined[one.name] if one.name in joined else self._ids(one.name, columns[one.name])
            for one in self._schema.categorical
        ]
        ids += [
            joined[one.name] if one.name in joined else self._list_ids(one, columns[one.name])
            for one in self._schema.lists
        ]
        if ids:
            inputs["categorical"] = tf.concat(ids, axis=1)
        if self._numeric.names:
            both = {**columns, **joined}
            numbers = tf.stack([both[name] for name in self._numeric.names], 1)
            inputs["numeric"] = transform(self._numeric, numbers)
        predicted = self.model(model_inputs(self.model, inputs), training=False)
        scores = tf.reshape(predicted, [-1])
        if self._schema.task == "rating":
            scores = tf.clip_by_value(scores, *self._schema.label_range)
        return {OUTPUT: scores}

    def _known(self, column: tf.Tensor) -> tf.Tensor:
        """Replaces the words that mean a missing value by "" or NaN."""
        missing = self._schema.missing
        if not missing:
            return column
        if column.dtype == tf.string:
            gap, marks = tf.constant(""), tf.constant(missing, tf.string)
        else:
            gap = tf.constant(np.nan, tf.float64)
            marks = tf.constant(missing_numbers(missing), tf.float64)
        is_missing = tf.reduce_any(column[:, tf.newaxis] == marks, axis=1)
        return tf.where(is_missing, gap, column)

    def _ids(self, name: str, values: tf.Tensor) -> tf.Tensor:
        values = _canonical(values)
        ids = self.tables[name].lookup(values)
        found = tf.cast(tf.where(values == "", self._missing[name], ids), tf.int32)
        return found[:, tf.newaxis]

    def _list_ids(self, one: ListField, cells: tf.Tensor) -> tf.Tensor:
        """Does in TensorFlow what `lists.list_ids` does: strings (rows,) to int32 ids."""
        parts = tf.strings.split(cells, one.separator)
        parts = tf.ragged.map_flat_values(_canonical, parts)
        parts = tf.ragged.boolean_mask(parts, parts != "")
        ids = tf.ragged.map_flat_values(self.tables[one.name].lookup, parts)
        found = ids.to_tensor(UNKNOWN, shape=[None, one.length])
        first = tf.one_hot(0, one.length, dtype=found.dtype) * self._missing[one.name]
        return tf.cast(
            tf.where((tf.strings.strip(cells) == "")[:, tf.newaxis], first, found), tf.int32
        )


class _Side(tf.Module):
    """The encoded columns of a side table, looked up by the keys of rows.

    Args:
        side: The encoded table.
        preprocessor: Knows the places of its columns.
    """

    def __init__(self, side: SideColumns, preprocessor: Preprocessor) -> None:
        super().__init__()
        self.joins = side.joins
        self.table = _table(side.index)
        self._ids = tf.constant(side.ids)
        self._numbers = tf.constant(side.numbers)
        schema = preprocessor.schema
        columns = [*schema.categorical, *schema.lists]
        widths = {one.name: getattr(one, "length", 1) for one in columns}
        own = [one.name for one in columns if one.name in side.counts]
        ends = np.cumsum([widths[name] for name in own])
        self._slices = {
            name: (int(end) - widths[name], int(end)) for name, end in zip(own, ends, strict=True)
        }
        self._names = [preprocessor.numeric.names[place] for place in side.number_places]

    def columns(self, keys: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns this table's ids (rows, ids of the column) and numbers (rows,), by column."""
        rows = tf.where(keys == "", tf.constant(UNKNOWN, tf.int64), self.table.lookup(keys))
        ids, numbers = tf.gather(self._ids, rows), tf.gather(self._numbers, rows)
        found = {name: ids[:, start:end] for name, (start, end) in self._slices.items()}
        return found | {name: numbers[:, place] for place, name in enumerate(self._names)}


def _canonical(texts: tf.Tensor) -> tf.Tensor:
    """Does in TensorFlow what `canonical.text` does, except for exponents and time zones."""
    texts = tf.strings.strip(texts)
    for pattern, replacement in RULES:
        texts = tf.strings.regex_replace(texts, pattern, replacement, replace_global=False)
    return texts


def input_names(columns: Sequence[str]) -> dict[str, str]:
    """Returns the names of a SavedModel's inputs, by column.

    TensorFlow allows the names that Python allows for arguments, but only in ASCII and starting
    with a letter, and it treats capital and small letters as the same. A column with such a name
    keeps it. In other names each other character becomes "_", and "arg_" is put before a name that
    does not start with a letter. TensorFlow does the same when a signature is called from Python.
    Then "_" is added until all inputs have different names.

    Args:
        columns: The columns' names, all different.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for column in sorted(columns, key=lambda name: not _is_input_name(name)):
        name = re.sub(r"[^A-Za-z0-9]", "_", column)
        if not name[:1].isalpha():
            name = f"arg_{name}"
        while not _is_input_name(name) or name.lower() in taken:
            name += "_"
        names[column] = name
        taken.add(name.lower())
    return {column: names[column] for column in columns}


def _is_input_name(name: str) -> bool:
    reserved = keyword.iskeyword(name) or name == "self"
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None and not reserved


def transform(numeric: NumericTransform, numbers: tf.Tensor) -> tf.Tensor:
    """Does in TensorFlow what `NumericTransform.apply` does: float64 (rows, columns) to float32."""
    missing = tf.math.is_nan(numbers)
    if numeric.kind == "quantile":
        ranked = [_rank(numbers[:, at], edges) for at, edges in enumerate(numeric.quantiles)]
        scaled = tf.stack(ranked, axis=1)
    else:
        unskewed = numbers
        if numeric.kind == "log":
            unskewed = tf.sign(numbers) * tf.math.log1p(tf.abs(numbers))
        scaled = tf.clip_by_value((unskewed - numeric.means) / numeric.scales, -LIMIT, LIMIT)
    scaled = tf.where(missing, tf.zeros_like(scaled), scaled)
    flagged = [numeric.names.index(name) for name in numeric.flagged]
    flags = tf.cast(tf.gather(missing, tf.constant(flagged, tf.int32), axis=1), scaled.dtype)
    return tf.cast(tf.concat([scaled, flags], axis=1), tf.float32)


def _rank(numbers: tf.Tensor, edges: np.ndarray) -> tf.Tensor:
    """Ranks numbers among quantiles, by the same steps as `data.encoding.numeric`."""
    ranks, limits = tf.constant(np.linspace(-1.0, 1.0, QUANTILES)), tf.constant(edges)
    lower = tf.searchsorted(limits, numbers, side="left")
    upper = tf.searchsorted(limits, numbers, side="right")
    first, last = tf.minimum(lower, QUANTILES - 1), tf.maximum(upper - 1, 0)
    middle = (tf.gather(ranks, first) + tf.gather(ranks, last)) / 2
    left = tf.clip_by_value(lower - 1, 0, QUANTILES - 2)
    low, high = tf.gather(limits, left), tf.gather(limits, left + 1)
    share = tf.clip_by_value(tf.math.divide_no_nan(numbers - low, high - low), 0.0, 1.0)
    start, end = tf.gather(ranks, left), tf.gather(ranks, left + 1)
    return tf.where(upper > lower, middle, start + share * (end - start))


def _table(vocabulary: Vocabulary) -> tf.lookup.StaticHashTable:
    known = {
        value: at for at, value in enumerate(vocabulary.values.to_pylist(), 1) if value is not None
    }
    # TensorFlow allows no empty table. The empty string is never looked up, since it is missing.
    known = known or {"": UNKNOWN}
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(known), tf.string), tf.constant(list(known.values()), tf.int64)
        ),
        default_value=UNKNOWN,
    )


def _missing_id(vocabulary: Vocabulary) -> tf.Tensor:
    return tf.constant(vocabulary.missing, tf.int64)
