"""Tables of interactions: no label, rows to keep, and a split of each user's rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from entries import ratings_entry
from pydantic import ValidationError

from autorec_core.config import PreprocessParams, SplitParams
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.split import user_shares
from autorec_core.data.preparing.store import load_examples, load_rows, load_schema
from autorec_core.errors import DataError

RATIOS = [0.8, 0.1, 0.1]
SPLIT = SplitParams(strategy="stratified", ratios=RATIOS)
ENCODING = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
RANKING = {
    "task": "ranking",
    "label": None,
    "negatives": {"per_positive": 2, "by": "uniform"},
}


def table(rows=400):
    random = np.random.default_rng(0)
    pairs = random.choice(40 * 30, rows, replace=False)
    return pd.DataFrame({"user": pairs // 30, "item": pairs % 30, "stars": pairs % 5 + 1})


def prepared(folder, **changes):
    table().to_csv(folder / "ratings.csv", index=False)
    entry = ratings_entry({"label_values": None}, **RANKING | changes)
    prepare(entry, SPLIT, ENCODING, 1, folder / "ratings.csv", folder / "out")
    return folder / "out"


def test_rows_without_a_label_have_a_made_one_and_users_are_split_evenly(tmp_path):
    out = prepared(tmp_path)

    schema = load_schema(out)
    assert (schema.task, schema.label, schema.negatives.per_positive) == (
        "ranking",
        "interaction",
        2,
    )
    parts = [load_examples(out, part) for part in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [320, 40, 40]
    assert all((part.label == 1).all() for part in parts)
    assert len(np.unique(parts[0].categorical[:, 0])) == 40  # every user is in train


def test_keep_reads_only_the_rows_with_at_least_this_number(tmp_path):
    out = prepared(tmp_path, keep={"column": "stars", "at_least": 4}, ignored=["stars"])
    rows = pd.concat([load_rows(out, part) for part in ("train", "valid", "test")])
    found = table()
    kept = found[found["stars"] >= 4]
    assert "stars" not in rows
    assert sorted(zip(rows["user"].astype(int), rows["item"].astype(int), strict=True)) == sorted(
        zip(kept["user"], kept["item"], strict=True)
    )


def test_a_label_is_the_strength_and_must_be_positive(tmp_path):
    out = prepared(tmp_path, label="stars")
    assert set(load_examples(out, "train").label) == {1.0, 2.0, 3.0, 4.0, 5.0}

    bad = table()
    bad.loc[7, "stars"] = 0
    bad.to_csv(tmp_path / "bad.csv", index=False)
    entry = ratings_entry({"label_values": None}, **RANKING | {"label": "stars"})
    with pytest.raises(DataError, match="line 9: stars is '0'; a strength above 0"):
        prepare(entry, SPLIT, ENCODING, 1, tmp_path / "bad.csv", tmp_path / "none")


def test_each_users_rows_are_divided_by_the_ratios():
    users = np.repeat(np.arange(5), [100, 100, 50, 2, 1])
    parts = user_shares(users, RATIOS, seed=3)
    assert np.bincount(parts).tolist() == [203, 25, 25]
    assert np.bincount(parts[users == 0]).tolist() == [80, 10, 10]
    assert not parts[users >= 3].any()
    with pytest.raises(DataError, match="at least three rows"):
        user_shares(np.arange(9), RATIOS, seed=3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"negatives": None}, "`task: ranking` needs `negatives`"),
        ({"user": None}, "`task: ranking` needs `user`"),
        ({"task": "rating", "label": "stars"}, "`negatives` is only allowed with `task: ranking`"),
        ({"task": "rating", "negatives": None}, "name the `label` column"),
        ({"keep": {"column": "none", "at_least": 4}, "ignored": ["none"]}, None),
    ],
)
def test_an_entry_that_does_not_fit_its_task_is_refused(changes, said):
    if said is None:
        assert ratings_entry({"label_values": None}, **RANKING | changes).keep.column == "none"
        return
    with pytest.raises(ValidationError, match=said):
        ratings_entry({"label_values": None}, **RANKING | changes)
