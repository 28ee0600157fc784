"""A model with side tables needs ids alone: in scoring, in the exported graph, in ranked lists."""

from __future__ import annotations

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import side_tables as shop
import tensorflow as tf
from entries import ratings_entry

from autorec_core import zoo
from autorec_core.config import PreprocessParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.reading.side_tables import read_side_tables
from autorec_core.export import export_scorer
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.interactions import Excluded
from autorec_core.recommending.pairs import EncodedPairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer

ROWS = pd.DataFrame({"user": ["3", " 7.0", "41", "999", None], "item": ["2", "59", "6", None, "8"]})
"""Known and unknown keys, some in other forms."""


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    """A model that was never trained: its scores are as different as any."""
    folder = tmp_path_factory.mktemp("shop")
    shop.write_raw(folder / "raw")
    entry = ratings_entry({"label_values": [0.0, 1.0]}, task="ctr", tables=shop.TABLES)
    settings = PreprocessParams(
        min_count=1, max_vocabulary=None, numeric="standard", missing_flag=True
    )
    tables = read_side_tables(entry, folder / "raw")
    rows = shop.ratings()
    rows["rating"] = (rows["rating"] > 2).astype(float)
    preprocessor = Preprocessor.fit(entry, settings, rows, tables)
    keras.utils.set_random_seed(3)
    model = zoo.build("deepfm", preprocessor.schema).build(keras_tuner.HyperParameters())
    Scorer(preprocessor, model).save(folder / "scorer")
    (folder / "scorer").rename(folder / "moved")
    return Scorer.load(folder / "moved")


def test_facts_change_the_score_and_every_way_in_gives_the_same(scorer):
    scores = scorer.score(ROWS, scorer.unknown_ids())

    assert scorer.columns == ["user", "item"]
    assert len(np.unique(scores)) == len(scores)
    np.testing.assert_array_equal(scorer.score_lists(ROWS.to_dict("list")), scores)
    np.testing.assert_array_equal(scorer.score_table(pa.Table.from_pandas(ROWS)), scores)
    unseen = pd.DataFrame({"user": ["41", "41"], "item": ["57", "58"]})  # not in any rating
    one, other = scorer.score(unseen, scorer.unknown_ids())
    assert one != other


def test_the_exported_graph_carries_the_tables(scorer, tmp_path):
    export_scorer(scorer, tmp_path / "exported")

    loaded = tf.saved_model.load(str(tmp_path / "exported" / "saved_model" / "1"))
    columns = {name: tf.constant(ROWS[name].fillna("").tolist()) for name in ("user", "item")}
    found = loaded.signatures["serving_default"](**columns)["score"].numpy()
    expected = scorer.score(ROWS, scorer.unknown_ids())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_ranked_lists_equal_scored_rows(scorer):
    ranker = Ranker(Catalogue.of(scorer.preprocessor), EncodedPairs(scorer), scorer.columns)
    users = ranker.users(pa.table({"user": ["5", "40"]}))
    found = pa.concat_tables(ranker.rank(users, ranker.candidates(), Excluded.nothing(2), 3))

    scores = scorer.score(found.select(["user", "item"]).to_pandas())
    assert found["score"].to_pylist() == pytest.approx(scores.tolist())
    best = scorer.score(pd.DataFrame({"user": "5", "item": ranker.catalogue.items.texts}))
    assert found["score"][0].as_py() == pytest.approx(best.max())
