"""Columns next to user and item: where they come from, and that lists equal scored rows."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from entries import ratings_entry

from autorec_core import zoo
from autorec_core.config import PreprocessParams, SplitParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.errors import DataError
from autorec_core.raw_config import MultiValued
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.columns import own_columns
from autorec_core.recommending.facts import ItemFacts
from autorec_core.recommending.interactions import Excluded
from autorec_core.recommending.pairs import EncodedPairs, TablePairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer

USERS, ITEMS = 12, 9
COLUMNS = ["age", "genres", "price", "hour"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Prepared data: users have an age, items genres and a price with a gap, rows an hour."""
    made = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"user": np.repeat(np.arange(USERS), ITEMS), "item": np.tile(np.arange(ITEMS), USERS)}
    )
    rows = rows.sample(frac=0.9, random_state=1)
    rows["age"] = "a" + (rows["user"] % 3).astype(str)
    rows["genres"] = rows["item"].map(lambda item: "x|y" if item % 2 else "z")
    rows["price"] = rows["item"].where(rows["item"] != 4) * 1.5
    rows["hour"] = random.integers(0, 24, len(rows))
    rows["rating"] = random.integers(0, 2, len(rows))
    rows.to_csv(made / "ratings.csv", index=False)
    entry = ratings_entry(
        facts={"label_values": [0.0, 1.0]},
        task="ctr",
        categorical=["user", "item", "age", "hour"],
        multi_valued={"genres": MultiValued(separator="|", max_length=2).model_dump()},
        numeric=["price"],
    )
    settings = PreprocessParams(
        min_count=1, max_vocabulary=None, numeric="standard", missing_flag=True
    )
    split = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])
    prepare(entry, split, settings, 1, made / "ratings.csv", made / "prepared")
    return made / "prepared"


@pytest.fixture(scope="module")
def scorer(folder):
    """A model that was never trained: its scores are as different as any."""
    preprocessor = Preprocessor.load(folder)
    recommender = zoo.build("deepfm", preprocessor.schema)
    return Scorer(preprocessor, recommender.build(keras_tuner.HyperParameters()))


@pytest.fixture(scope="module", params=["encoded", "tables"])
def ranker(request, folder, scorer):
    pairs = EncodedPairs(scorer) if request.param == "encoded" else TablePairs(scorer)
    of_users, of_items = (
        own_columns(folder, key, COLUMNS, {"genres": "|"}) for key in ("user", "item")
    )
    catalogue = Catalogue.of(scorer.preprocessor)
    return Ranker(catalogue, pairs, scorer.columns, of_users, ItemFacts(of_items))


def test_columns_with_one_value_per_user_or_item_are_found(ranker):
    assert sorted(ranker.of_users.columns) == ["age"]
    assert sorted(ranker.facts.own.columns) == ["genres", "price"]


def test_lists_equal_scored_rows_with_columns_from_the_data_and_the_users(ranker, scorer):
    users = ranker.users(pa.table({"user": ["5", "1"], "hour": ["7", "23"]}))

    found = pa.concat_tables(ranker.rank(users, ranker.candidates(), Excluded.nothing(2), ITEMS))

    for user, hour in (("5", 7), ("1", 23)):
        items = np.arange(ITEMS)
        rows = pd.DataFrame(
            {
                "user": user,
                "item": items,
                "age": f"a{int(user) % 3}",
                "hour": hour,
                "genres": np.where(items % 2, "x|y", "z"),
                "price": np.where(items != 4, items * 1.5, np.nan),
            }
        )
        scores = scorer.score(rows)
        assert len(np.unique(scores)) > 1
        list_ = found.filter(pa.compute.equal(found["user"], user))
        ordered = sorted(zip(-scores, items.astype(str), strict=True))
        assert list_["item"].to_pylist() == [item for _, item in ordered]
        assert list_["score"].to_pylist() == pytest.approx([-score for score, _ in ordered])


def test_columns_of_the_candidates_come_before_those_of_the_data(ranker, scorer):
    users = ranker.users(pa.table({"user": ["5"], "hour": ["7"]}))
    candidates = ranker.candidates(pa.table({"item": ["3"], "price": [99.0]}))

    [found] = ranker.rank(users, candidates, Excluded.nothing(1), 1)

    row = {"user": ["5"], "item": ["3"], "age": ["a2"], "hour": ["7"], "genres": ["x|y"]}
    expected = scorer.score(pd.DataFrame({**row, "price": [99.0]}))
    assert found["score"].to_pylist() == pytest.approx(expected.tolist())


def test_columns_that_nobody_gives_are_named(ranker):
    users = ranker.users(pa.table({"user": ["5"]}))
    with pytest.raises(DataError, match="The model also reads hour, whose values differ"):
        ranker.rank(users, ranker.candidates(), Excluded.nothing(1), 1)

    both = ranker.users(pa.table({"user": ["5"], "hour": ["1"]}))
    candidates = ranker.candidates(pa.table({"item": ["3"], "hour": ["1"]}))
    with pytest.raises(DataError, match="The users and the candidates both have the columns hour"):
        ranker.rank(both, candidates, Excluded.nothing(1), 1)


def test_new_users_need_no_columns(ranker):
    users = ranker.users(pa.table({"user": ["new"]}))

    [found] = ranker.rank(users, ranker.candidates(), Excluded.nothing(1), 2)

    assert found["reason"].to_pylist() == ["popular"] * 2
