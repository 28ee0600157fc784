"""The exported SavedModel gives the same scores as the scorer, without our Python code."""

from __future__ import annotations

import dataclasses
import json
import keyword

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml
from project import ROOT

from autorec_core import zoo
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.export import export_scorer, input_names
from autorec_core.scorer import Scorer
from flows.config import Params


def table(rows, seed):
    """Makes clicks with null and empty categories, missing numbers, and one complete column."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "site id": random.choice(["a", "b", "c", None], rows),
            "hour": random.integers(0, 24, rows).astype(str),
            "price": np.where(random.random(rows) < 0.2, np.nan, random.normal(0, 50, rows)),
            "seen": random.poisson(2, rows).astype(float),
            "tags": random.choice(["x", "y|x", "x|never|y|z", "|", "", None], rows),
            "click": random.integers(0, 2, rows).astype(float),
        }
    )


def scorer(transform, rows=table, **columns):
    """Makes a scorer of a fitted preprocessor and a model with random weights."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    entry = content["datasets"]["criteo"] | {
        "label": "click",
        "categorical": ["site id", "hour"],
        "numeric": ["price", "seen"],
        "multi_valued": {"tags": {"separator": "|", "max_length": 3}},
        "missing": ["NA", "-999"],
    }
    entry |= {"format": {"kind": "parquet"}, **columns}
    entry["facts"] |= {"ranges": {}, "warn_only": []}
    content["datasets"]["criteo"] = entry
    content["preprocess"]["numeric"] = transform
    params = Params.model_validate(content)
    preprocessor = Preprocessor.fit(params.dataset("criteo"), params.preprocess, rows(500, 0))
    keras.utils.set_random_seed(3)
    model = zoo.build("deepfm", preprocessor.schema).build(keras_tuner.HyperParameters())
    return Scorer(preprocessor, model)


@pytest.mark.parametrize("numeric", ["log", "standard", "quantile"])
def test_the_saved_model_scores_raw_rows_like_the_scorer(numeric, tmp_path):
    made = scorer(numeric)
    rows = table(200, 1)
    rows.loc[:6, "site id"] = ["", "never seen", None, "a", "ü\n", "A", "NA"]
    rows.loc[:6, "tags"] = ["", None, "||", "unseen|y", "y||x|z|x", "z", "NA"]
    rows.loc[:7, "price"] = [np.nan, 0.0, 1e6, -1e6, 1e30, -1e30, 1e308, -999.0]

    assert np.isfinite(made.score(rows)).all()
    export_scorer(made, tmp_path / "exported")

    loaded = tf.saved_model.load(str(tmp_path / "exported" / "saved_model" / "1"))
    found = loaded.signatures["serving_default"](
        **{
            "site id": tf.constant(rows["site id"].fillna("").tolist()),
            "hour": tf.constant(rows["hour"].tolist()),
            "tags": tf.constant(rows["tags"].fillna("").tolist()),
            "price": tf.constant(rows["price"].to_numpy()),
            "seen": tf.constant(rows["seen"].to_numpy()),
        }
    )["score"].numpy()
    expected = made.score(rows)
    gaps = rows.replace({"site id": {"NA": None}, "tags": {"NA": None}, "price": {-999: np.nan}})
    assert made.score(gaps) == pytest.approx(expected)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    again = keras.saving.load_model(tmp_path / "exported" / "model.keras", compile=False)
    assert [tensor.name for tensor in again.inputs] == [t.name for t in made.model.inputs]


def test_ratings_are_clipped_to_their_range(tmp_path):
    made = scorer("log")
    schema = made.preprocessor.schema
    narrow = dataclasses.replace(schema, task="rating", label_range=(0.49, 0.5))
    preprocessor = dataclasses.replace(made.preprocessor, schema=narrow)

    export_scorer(Scorer(preprocessor, made.model), tmp_path / "exported")

    loaded = tf.saved_model.load(str(tmp_path / "exported" / "saved_model" / "1"))
    rows = table(50, 2)
    columns = {
        name: tf.constant(rows[name].fillna("").tolist()) for name in ("site id", "hour", "tags")
    } | {name: tf.constant(rows[name].to_numpy()) for name in ("price", "seen")}
    found = loaded.signatures["serving_default"](**columns)["score"].numpy()
    assert found.min() >= np.float32(0.49)
    assert found.max() <= np.float32(0.5)


COLUMNS = ["class", "Class", "a b", "a.b", "a_b", "7", "_x", "größe", "self", "None", "%/\n?#:", ""]


def test_an_input_has_its_columns_name_where_tensorflow_allows_it():
    found = input_names([*COLUMNS, "user_id", "x" * 300])

    assert found["user_id"] == "user_id"
    assert found["a_b"] == "a_b"
    assert found["x" * 300] == "x" * 300
    assert len({name.lower() for name in found.values()}) == len(COLUMNS) + 2
    for name in found.values():
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
    assert list(found) == [*COLUMNS, "user_id", "x" * 300]


def test_columns_of_any_names_are_exported(tmp_path):
    kinds = {"categorical": COLUMNS[:7], "numeric": COLUMNS[7:], "multi_valued": {}}
    made = scorer("log", anything, **kinds)
    rows = anything(50, 1)

    export_scorer(made, tmp_path / "exported")

    loaded = tf.saved_model.load(str(tmp_path / "exported" / "saved_model" / "1"))
    inputs = json.loads((tmp_path / "exported" / "inputs.json").read_text(encoding="utf-8"))
    columns = {name: tf.constant(rows[name].tolist()) for name in kinds["categorical"]}
    columns |= {name: tf.constant(rows[name].to_numpy()) for name in kinds["numeric"]}
    found = loaded.signatures["serving_default"](
        **{inputs[name]: column for name, column in columns.items()}
    )["score"].numpy()
    np.testing.assert_allclose(found, made.score(rows), rtol=1e-5, atol=1e-6)


def anything(rows, seed):
    """Makes clicks with column names that cannot be names of arguments."""
    random = np.random.default_rng(seed)
    made = {name: random.choice(["a", "b", "c"], rows) for name in COLUMNS[:7]}
    made |= {name: random.normal(size=rows) for name in COLUMNS[7:]}
    return pd.DataFrame({**made, "click": random.integers(0, 2, rows).astype(float)})
