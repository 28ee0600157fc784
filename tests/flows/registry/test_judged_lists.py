"""The lists that the gate compares models by: the same as those of the evaluation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from entries import ratings_entry

from autorec_core.config import PreprocessParams, SplitParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.evaluation.full_catalogue import UserLists
from autorec_core.evaluation.list_figures import pairs_of
from flows.registry import judged_lists
from flows.registry.judged_lists import JudgedLists

ENCODING = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
SPLIT = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    pairs = np.random.default_rng(0).choice(40 * 30, 500, replace=False)
    table = pd.DataFrame({"user": pairs // 30, "item": pairs % 30})
    table.assign(genre=table["item"] % 4, hour=pairs % 7).to_csv(folder / "rows.csv", index=False)
    entry = ratings_entry(
        {"label_values": None},
        task="ranking",
        label=None,
        negatives={"per_positive": 2, "by": "uniform"},
        categorical=["user", "item", "genre", "hour"],
    )
    prepare(entry, SPLIT, ENCODING, 1, folder / "rows.csv", folder / "out")
    return folder / "out"


def lists_of(prepared):
    return JudgedLists.of(prepared, Preprocessor.load(prepared), load_rows(prepared, "test"), 0)


def test_the_losses_are_those_of_the_evaluation(prepared):
    lists, preprocessor = lists_of(prepared), Preprocessor.load(prepared)
    train, valid, test = (
        pairs_of(load_examples(prepared, part), preprocessor.schema)
        for part in ("train", "valid", "test")
    )
    same = UserLists.of(np.concatenate([train, valid]), test)
    random = np.random.default_rng(1).random((41, 31))
    encoded = preprocessor.encode(lists.rows).categorical

    found = lists.losses(random[encoded[:, 0], encoded[:, 1]])

    expected = same.rankings(lambda first, last: random[same.users[first:last]][:, same.items])
    assert np.sort(found) == pytest.approx(np.sort(1 - expected.ndcg(10)))


def test_a_rows_columns_are_those_of_its_item_and_of_the_users_test_row(prepared):
    rows = lists_of(prepared).rows
    assert (rows["genre"].astype(int) == rows["item"].astype(int) % 4).all()
    assert (rows.groupby("user")["hour"].nunique() == 1).all()


def test_test_rows_that_a_model_has_learned_from_leave_the_lists(prepared):
    lists, test = lists_of(prepared), load_rows(prepared, "test")
    counted = np.ones(len(test), bool)
    counted[lists.test_row.max()] = False
    kept, users = lists.judged(counted)
    assert (~kept).sum() >= 1
    assert len(lists.losses(lists.popularity, counted)) == users.sum()
    assert np.isnan(lists.losses(np.full(len(lists.user), np.nan))).all()


def test_many_users_are_sampled(prepared, monkeypatch):
    monkeypatch.setattr(judged_lists, "MOST_ROWS", 0)
    monkeypatch.setattr(judged_lists, "FEWEST_USERS", 5)
    lists = lists_of(prepared)
    assert len(lists.ids) == len(np.unique(lists.user)) == 5
    assert (lists_of(prepared).test_row == lists.test_row).all()
