"""Time features use a row's own time and the times of training rows, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.data.time_features import TimeFeatures

ALL = (
    "day",
    "hour",
    "weekday",
    "user_age",
    "item_age",
    "user_recency",
    "item_recency",
    "user_drift",
    "user_day",
)


def events(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Ratings over two months; some have the same user and time."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": random.integers(0, 20, rows),
            "item": random.integers(0, 30, rows),
            "rating": random.integers(1, 4, rows),
            "at": 880_000_000 + random.integers(0, 60 * 24, rows) * 3600,
        }
    )


def slowly(feature: str, train: pd.DataFrame, row: pd.Series) -> float | str | None:
    """The feature of one row, from its definition."""
    now = int(row["at"])
    if feature == "day":
        return (now - train["at"].min()) / 86_400
    moment = datetime.fromtimestamp(now, UTC)
    if feature in ("hour", "weekday"):
        return str(moment.hour if feature == "hour" else moment.weekday())
    if feature == "user_day":
        return f"{row['user']} {(moment - datetime(1970, 1, 1, tzinfo=UTC)).days}"
    role, what = feature.split("_")
    known = train.loc[train[role] == row[role], "at"]
    if known.empty:
        return None
    if what == "age":
        return max(0, now - known.min()) / 86_400
    if what == "recency":
        return (now - known[known < now].max()) / 86_400 if (known < now).any() else None
    days = (now - known.mean()) / 86_400
    return float(np.sign(days) * abs(days) ** 0.4)


def texts(column: pd.Series) -> pa.Array:
    return pa.array([str(one) for one in column], pa.string())


def test_every_feature_is_what_its_definition_says():
    train, others = events(), events(60, seed=1)
    others.loc[:3, "user"] = 99
    keys = [texts(train[name]).dictionary_encode() for name in ("user", "item")]
    learned = TimeFeatures.learn({one: one for one in ALL}, train["at"].to_numpy(float), *keys)

    for rows in (train.head(80), others):
        wanted = [texts(rows[name]) for name in ("user", "item")]
        found = learned.columns(rows["at"].to_numpy(float), *wanted)
        for feature in ALL:
            expected = [slowly(feature, train, row) for _, row in rows.iterrows()]
            values = found[feature].to_pylist()
            if isinstance(expected[0], str):
                assert values == expected, feature
            else:
                assert values == [None if e is None else pytest.approx(e) for e in expected], (
                    feature
                )
    missing = learned.columns(np.array([np.nan]), pa.array(["1"]), pa.array(["1"]))
    assert all(column.to_pylist() == [None] for column in missing.values())


@pytest.fixture
def described(entry):
    return entry(time="at", ignored=["at"], time_features=list(ALL))


@pytest.fixture
def prepared(described, split, preprocess, tmp_path):
    events().to_csv(tmp_path / "ratings.csv", index=False)
    prepare(described, split, preprocess, 1, tmp_path / "ratings.csv", tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("few", [True, False])
def test_rows_are_encoded_in_scoring_as_in_preparing(prepared, few):
    preprocessor = Preprocessor.load(prepared)
    assert preprocessor.schema.columns == ["user", "item", "at"]
    for part in ("train", "valid"):
        count = 30 if few else 300
        rows, encoded = load_rows(prepared, part).head(count), load_examples(prepared, part)
        assert "weekday" not in rows
        found = preprocessor.encode(rows)
        np.testing.assert_array_equal(found.categorical, encoded.categorical[:count])
        np.testing.assert_array_equal(found.numeric, encoded.numeric[:count])


def test_fitting_learns_the_same_and_valid_and_test_rows_tell_train_nothing(
    described, split, preprocess, prepared, tmp_path
):
    train = load_rows(prepared, "train")
    fitted = Preprocessor.fit(described, preprocess, train)
    loaded = Preprocessor.load(prepared)
    rows = load_rows(prepared, "test")

    assert fitted.schema == loaded.schema
    np.testing.assert_array_equal(fitted.encode(rows).numeric, loaded.encode(rows).numeric)
    np.testing.assert_array_equal(fitted.encode(rows).categorical, loaded.encode(rows).categorical)
    before = fitted.encode(train)
    assert np.isfinite(before.numeric).all()


def test_without_time_features_nothing_of_the_time_is_learned(entry, split, preprocess, tmp_path):
    events().to_csv(tmp_path / "ratings.csv", index=False)
    plain = entry(time="at", ignored=["at"])
    prepare(plain, split, preprocess, 1, tmp_path / "ratings.csv", tmp_path / "out")
    schema = Preprocessor.load(tmp_path / "out").schema
    assert (schema.columns, schema.numeric) == (["user", "item"], ())
    assert not (tmp_path / "out" / "times").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"time": None}, "`time_features` needs the column of times: set `time`"),
        ({"user": None}, "`time_features` has user_age, which needs `user`"),
        ({"time_features": ["month"]}, "Input should be 'day', 'hour', 'weekday'"),
        ({"time_features": ["day", "day"]}, "`time_features` names day twice"),
    ],
)
def test_a_wrong_entry_is_one_clear_sentence(entry, changes, sentence):
    described = {"time": "at", "ignored": ["at"], "time_features": list(ALL), **changes}
    with pytest.raises(ValidationError, match=sentence):
        entry(**described)
