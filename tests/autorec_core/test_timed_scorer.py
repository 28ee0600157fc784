"""A model with time features needs the time of a row, in any form."""

from __future__ import annotations

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from entries import ratings_entry

from autorec_core import zoo
from autorec_core.config import PreprocessParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.errors import DataError
from autorec_core.export import export_scorer
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.interactions import Excluded
from autorec_core.recommending.pairs import TablePairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer

FEATURES = ["weekday", "hour", "item_age", "user_recency", "user_day"]


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    """A model that was never trained: its scores are as different as any."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "user": random.integers(0, 9, 300).astype(str),
            "item": random.integers(0, 7, 300).astype(str),
            "rating": random.integers(0, 2, 300).astype(float),
            "at": 1_700_000_000.0 + random.integers(0, 30 * 86_400, 300),
        }
    )
    entry = ratings_entry(
        {"label_values": None}, task="ctr", time="at", ignored=["at"], time_features=FEATURES
    )
    settings = PreprocessParams(
        min_count=1, max_vocabulary=None, numeric="standard", missing_flag=True
    )
    preprocessor = Preprocessor.fit(entry, settings, rows)
    keras.utils.set_random_seed(3)
    model = zoo.build("deepfm", preprocessor.schema).build(keras_tuner.HyperParameters())
    folder = tmp_path_factory.mktemp("timed")
    Scorer(preprocessor, model).save(folder / "scorer")
    (folder / "scorer").rename(folder / "moved")
    return Scorer.load(folder / "moved")


def test_a_time_has_the_same_score_in_every_form_and_another_time_another(scorer):
    moments = [1_701_000_000, 1_701_090_000, 1_705_000_000]
    rows = pd.DataFrame({"user": "3", "item": "4", "at": moments})
    scores = scorer.score(rows, scorer.unknown_ids())
    texts = rows.assign(at=pd.to_datetime(rows["at"], unit="s").astype(str))

    assert scorer.columns == ["user", "item", "at"]
    assert len(np.unique(scores)) == 3
    for other in (texts, rows.assign(at=rows["at"] * 1000), pd.concat([rows] * 30)):
        again = scorer.score(other, scorer.unknown_ids())
        np.testing.assert_array_equal(again[:3], scores)
    np.testing.assert_array_equal(scorer.score_lists(rows.to_dict("list")), scores)
    np.testing.assert_array_equal(scorer.score_table(pa.Table.from_pandas(texts)), scores)
    missing = scorer.score(rows.assign(at=None), scorer.unknown_ids())
    assert np.isfinite(missing).all()


def test_ranked_lists_are_of_the_given_time(scorer):
    ranker = Ranker(Catalogue.of(scorer.preprocessor), TablePairs(scorer), scorer.columns)
    users = ranker.users(pa.table({"user": ["3", "5"], "at": [1.701e9, 1.702e9]}))
    found = pa.concat_tables(ranker.rank(users, ranker.candidates(), Excluded.nothing(2), 3))
    rows = found.select(["user", "item"]).to_pandas()
    rows["at"] = rows["user"].map({"3": 1.701e9, "5": 1.702e9})
    expected = scorer.score(rows, scorer.unknown_ids())
    assert found["score"].to_pylist() == pytest.approx(expected.tolist())


def test_it_is_not_exported(scorer, tmp_path):
    with pytest.raises(DataError, match="A model with time features cannot be exported"):
        export_scorer(scorer, tmp_path / "exported")
