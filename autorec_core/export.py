"""Exports a scorer for those who run no Python: raw rows in, scores out, lookups in the graph."""

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
from autorec_core.data.encoding.vocabulary import UNKNOWN, Vocabulary
from autorec_core.data.schema import ListField
from autorec_core.data.spelled import missing_numbers
from autorec_core.files import whole_folder, write_json
from autorec_core.scorer import MODEL_FILE, Scorer
from autorec_core.training.prediction import model_inputs

SAVED_MODEL = "saved_model"
VERSION = "1"
OUTPUT = "score"
INPUTS = "inputs.json"


def export_scorer(scorer: Scorer, folder: Path) -> None:
    """Writes a scorer as `model.keras` and as `saved_model/1`, whole or not at all.

    The SavedModel's signature `serving_default` takes a tensor of shape (rows,) for each column:
    strings for categorical columns, "" where missing, and for multi-valued ones, with their
    separator between categories; float64 for numeric ones, NaN where missing. It answers `score`,
    float32, shape (rows,). An input has its column's name, unless TensorFlow does not allow that as
    the name of an input (see `input_names`); `inputs.json` gives each column's input.
    `model.keras` takes encoded rows.

    Texts are brought to their canonical form in the graph by `canonical.RULES`: " 115.0" is "115"
    and "True" is "true". What takes more than a replacement is expected in its canonical form:
    numbers written with an exponent as all their digits (10000000000000000, not 1e+16), times with
    an offset at UTC (2024-03-26 13:00:00Z, not 14:00:00+01:00), and a numeric column of times in
    seconds since 1970.

    Args:
        scorer: The scorer.
        folder: The folder to appear.
    """
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
        types = dict.fromkeys(preprocessor.vocabularies, tf.string)
        types |= dict.fromkeys(self._numeric.names, tf.float64)
        self.inputs = input_names(list(types))
        columns = {
            name: tf.TensorSpec([None], kind, name=self.inputs[name])
            for name, kind in types.items()
        }
        self.score = tf.function(self._score, input_signature=[columns], autograph=False)

    def _score(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs: dict[str, Any] = {}
        columns = {name: self._known(column) for name, column in columns.items()}
        names = [field.name for field in self._schema.categorical]
        ids = [self._ids(one, columns[one])[:, tf.newaxis] for one in names]
        ids += [self._list_ids(one, columns[one.name]) for one in self._schema.lists]
        if ids:
            inputs["categorical"] = tf.concat(ids, axis=1)
        if self._numeric.names:
            numbers = tf.stack([columns[name] for name in self._numeric.names], 1)
            inputs["numeric"] = transform(self._numeric, numbers)
        predicted = self.model(model_inputs(self.model, inputs), training=False)
        scores = tf.reshape(predicted, [-1])
        if self._schema.task == "rating":
            scores = tf.clip_by_value(scores, *self._schema.label_range)
        return {OUTPUT: scores}

    def _known(self, column: tf.Tensor) -> tf.Tensor:
        """A column without the words that mean "missing"."""
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
        return tf.cast(tf.where(values == "", self._missing[name], ids), tf.int32)

    def _list_ids(self, one: ListField, cells: tf.Tensor) -> tf.Tensor:
        """`preprocessor.list_ids` as TensorFlow: strings (rows,) to int32 (rows, length)."""
        parts = tf.strings.split(cells, one.separator)
        parts = tf.ragged.map_flat_values(_canonical, parts)
        parts = tf.ragged.boolean_mask(parts, parts != "")
        ids = tf.ragged.map_flat_values(self.tables[one.name].lookup, parts)
        found = ids.to_tensor(UNKNOWN, shape=[None, one.length])
        first = tf.one_hot(0, one.length, dtype=found.dtype) * self._missing[one.name]
        return tf.cast(
            tf.where((tf.strings.strip(cells) == "")[:, tf.newaxis], first, found), tf.int32
        )


def _canonical(texts: tf.Tensor) -> tf.Tensor:
    """`canonical.text` as TensorFlow, but for what it computes beyond its rules."""
    texts = tf.strings.strip(texts)
    for pattern, replacement in RULES:
        texts = tf.strings.regex_replace(texts, pattern, replacement, replace_global=False)
    return texts


def input_names(columns: Sequence[str]) -> dict[str, str]:
    """The names of a SavedModel's inputs, by column.

    TensorFlow allows what Python allows as an argument of a function, in ASCII, beginning with a
    letter, and does not tell capitals from small letters. A column whose name is like that keeps
    it. In another name "_" stands for each other character, and "arg_" before what begins with no
    letter, as TensorFlow itself does it when a signature is called from Python; "_" is added until
    no two inputs are alike.

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
    """`NumericTransform.apply` as TensorFlow: float64 (rows, columns) to float32."""
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
    """Ranks among quantiles, by the same steps as in `data.numeric`."""
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
    # A table of nothing cannot be made; the empty string never gets here, it is missing.
    known = known or {"": UNKNOWN}
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(known), tf.string), tf.constant(list(known.values()), tf.int64)
        ),
        default_value=UNKNOWN,
    )


def _missing_id(vocabulary: Vocabulary) -> tf.Tensor:
    return tf.constant(vocabulary.missing, tf.int64)
