"""The preprocessor learns from train, and encodes in the same way in training and scoring."""

from __future__ import annotations

import json
import math
import re

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorec_core.config import PreprocessParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.errors import DataError


def settings(**changes):
    kept = {"min_count": 1, "max_vocabulary": None, "numeric": "log", "missing_flag": True}
    return PreprocessParams(**{**kept, **changes})


@pytest.fixture
def ratings(entry):
    train = pd.DataFrame(
        {"user": ["196", "22", "196", "7"], "item": ["x", "y", "x", "z"], "rating": [1.0, 2, 3, 3]}
    )
    return Preprocessor.fit(entry(), settings(), train)


def test_frequent_categories_have_small_ids_and_unknown_ones_0(ratings):
    rows = pd.DataFrame({"user": ["196", "22", "7", "8"], "item": ["x", "y", "z", "X"]})

    assert ratings.encode(rows).categorical.tolist() == [[1, 1], [2, 2], [3, 3], [0, 0]]
    assert [field.vocabulary_size for field in ratings.schema.categorical] == [4, 4]
    assert ratings.schema.label_range == (1.0, 3.0)


@pytest.mark.parametrize("repeat", [1, 100], ids=["few rows", "many rows"])
@pytest.mark.parametrize(
    "users",
    [
        pd.Series(["196", "5"]),
        pd.Series([196, 5]),
        pd.Series([196.0, 5.0]),
        pd.Series(["196", "5"], dtype="category"),
        pd.Series([196, "5"], dtype=object),
        pd.Series([196, 5], dtype="Int64"),
        pd.Series([196, 5], dtype="uint16"),
    ],
    ids=["text", "integers", "floats", "categories", "mixed", "nullable", "small"],
)
def test_196_and_its_text_are_the_same_user(ratings, users, repeat):
    rows = pd.DataFrame({"user": pd.concat([users] * repeat, ignore_index=True), "item": "x"})

    assert ratings.encode(rows).categorical[:, 0].tolist() == [1, 0] * repeat


def test_a_missing_category_has_its_own_id_if_train_has_missing_values(clicks):
    train = pd.DataFrame(
        {
            "click": [0.0, 1, 0, 1],
            "site": ["s", None, "s", ""],
            "device": ["d", "d", "e", "e"],
            "price": [1.0, 2, 3, 4],
            "age": [1.0, 2, 3, 4],
        }
    )
    fitted = Preprocessor.fit(clicks(), settings(), train)
    rows = pd.DataFrame({"site": [None, "", "s", "?"], "device": [None, "d", "e", "?"]})
    ids = fitted.encode(rows.assign(price=1.0, age=1.0)).categorical

    assert ids[:, 0].tolist() == [1, 1, 2, 0]
    assert ids[:, 1].tolist() == [0, 1, 2, 0]


def test_rare_categories_are_unknown_and_a_cap_keeps_the_most_frequent(entry):
    train = pd.DataFrame({"user": list("aaabbc"), "item": list("xxxyyz"), "rating": [1.0, 2] * 3})
    rows = pd.DataFrame({"user": list("abc"), "item": list("xyz")})

    rare = Preprocessor.fit(entry(), settings(min_count=2), train).encode(rows)
    capped = Preprocessor.fit(entry(), settings(max_vocabulary=1), train).encode(rows)

    assert rare.categorical[:, 0].tolist() == [1, 2, 0]
    assert capped.categorical[:, 0].tolist() == [1, 0, 0]


def numeric(clicks, values, kind="log", missing_flag=True):
    train = pd.DataFrame({"click": 1.0, "site": "s", "device": "d", "price": values, "age": 1.0})
    fitted = Preprocessor.fit(clicks(), settings(numeric=kind, missing_flag=missing_flag), train)
    return fitted, train


def test_the_logarithm_is_sign_safe_and_standardised(clicks):
    values = [0.0, math.e - 1, 1 - math.e]
    fitted, train = numeric(clicks, values)

    encoded = fitted.encode(train).numeric[:, 0]

    # sign(x) * log1p(|x|) is 0, 1, -1: mean 0, standard deviation sqrt(2 / 3).
    assert encoded == pytest.approx([0, math.sqrt(1.5), -math.sqrt(1.5)])


def test_standardising_leaves_mean_0_and_deviation_1(clicks):
    fitted, train = numeric(clicks, [1.0, 3.0], "standard")

    assert fitted.encode(train).numeric[:, 0].tolist() == [-1.0, 1.0]
    assert fitted.encode(train).numeric[:, 1].tolist() == [0.0, 0.0]  # a constant column


def test_quantiles_map_ranks_to_minus_1_to_1(clicks):
    fitted, train = numeric(clicks, [0.0, 1, 10, 100, 1000], "quantile")
    rows = train.iloc[:2].assign(price=[-5.0, 1e9])

    assert fitted.encode(train).numeric[:, 0] == pytest.approx([-1, -0.5, 0, 0.5, 1])
    assert fitted.encode(rows).numeric[:, 0].tolist() == [-1.0, 1.0]


@hypothesis.settings(deadline=None, derandomize=True)
@hypothesis.example([0.0, 1.0, 2.2e-311, -2.2e-311])
@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20, unique=True))
def test_every_transform_is_monotone(values):
    from autorec_core.data.encoding.numeric import NumericStatistics

    column = np.sort(np.array(values))[:, None]
    for kind in ("log", "standard", "quantile"):
        statistics = NumericStatistics(["x"], kind)
        statistics.update(column)
        encoded = statistics.finish(missing_flag=False).apply(column)[:, 0]
        assert (np.diff(encoded) >= 0).all()


def test_statistics_do_not_depend_on_the_chunks():
    from autorec_core.data.encoding.numeric import NumericStatistics

    column = np.random.default_rng(0).normal(1e6, 1, size=(1000, 1))
    column[::7] = np.nan
    whole, pieces = NumericStatistics(["x"], "standard"), NumericStatistics(["x"], "standard")
    whole.update(column)
    for start in range(0, 1000, 33):
        pieces.update(column[start : start + 33])

    first, second = whole.finish(missing_flag=True), pieces.finish(missing_flag=True)
    assert first.means == pytest.approx(second.means, rel=1e-12)
    assert first.scales == pytest.approx([np.nanstd(column)], rel=1e-9)
    assert second.scales == pytest.approx([np.nanstd(column)], rel=1e-9)


def test_a_missing_number_becomes_the_mean_and_sets_its_flag(clicks):
    fitted, train = numeric(clicks, [1.0, np.nan, 3.0], "standard")

    assert fitted.schema.numeric == ("price", "age", "price missing")
    assert fitted.schema.columns == ["site", "device", "price", "age"]
    assert fitted.encode(train).numeric[:, [0, 2]].tolist() == [[-1, 0], [0, 1], [1, 0]]


def test_flags_can_be_left_out(clicks):
    fitted, _ = numeric(clicks, [1.0, np.nan], missing_flag=False)

    assert fitted.schema.numeric == ("price", "age")


def test_a_label_that_is_not_there_is_nan(ratings):
    assert np.isnan(ratings.encode(pd.DataFrame({"user": ["7"], "item": ["x"]})).label).all()


def test_a_missing_column_is_named_with_those_there(ratings):
    with pytest.raises(DataError, match=r"lack the columns item\. They have: user\."):
        ratings.encode(pd.DataFrame({"user": ["7"]}))


@pytest.mark.parametrize("repeat", [1, 100])
@pytest.mark.parametrize("wrong", ["five", "1,5", "inf", float("inf")])
def test_text_in_a_numeric_column_is_an_error_at_scoring_too(clicks, wrong, repeat):
    fitted, train = numeric(clicks, [1.0, 2.0])
    rows = pd.concat([train.astype({"price": object})] * repeat, ignore_index=True)
    rows.loc[1, "price"] = wrong

    with pytest.raises(DataError, match="Row 2: price is"):
        fitted.encode(rows)


def test_a_column_without_a_value_is_refused(clicks):
    with pytest.raises(DataError, match="without any value in train: price"):
        numeric(clicks, [np.nan, np.nan])


def test_no_rows_are_no_examples(ratings):
    encoded = ratings.encode(pd.DataFrame({"user": [], "item": []}))

    assert encoded.categorical.shape == (0, 2)
    assert len(encoded) == 0


VALUES = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=False),
    st.floats(-5, 5).map(round).map(float),
    st.text(max_size=3),
    st.booleans(),
)


@hypothesis.settings(deadline=None, derandomize=True)
@given(st.lists(VALUES, min_size=1, max_size=10))
def test_one_row_and_many_rows_have_the_same_ids(values):
    """For a few rows, `python_values` gives the same result as `values`."""
    from autorec_core.data.encoding.python_values import plain_categories
    from autorec_core.data.values import categories, of_series

    frame = pd.DataFrame({"x": pd.Series(values)})
    quick = plain_categories(frame["x"].tolist())

    if quick is not None:
        assert categories(of_series(frame["x"])).to_pylist() == quick


@pytest.mark.parametrize("kind", ["log", "standard", "quantile"])
def test_a_number_far_outside_train_is_clipped(clicks, kind):
    fitted, train = numeric(clicks, [1e-9, 3e-9], kind)
    rows = pd.concat([train, train])[:3].assign(price=[1e30, -1e308, 3e-9])
    encoded = fitted.encode(rows).numeric[:, 0].tolist()

    most = 1.0 if kind == "quantile" else 1e4
    assert encoded == pytest.approx([most, -most, 1.0], rel=1e-5)


def test_a_saved_preprocessor_encodes_in_the_same_way(clicks, tmp_path):
    fitted, train = numeric(clicks, [1.0, np.nan, -3.0], "quantile")
    fitted.save(tmp_path)
    loaded = Preprocessor.load(tmp_path)
    before, after = fitted.encode(train), loaded.encode(train)

    assert loaded.schema == fitted.schema
    assert (before.categorical == after.categorical).all()
    assert (before.numeric == after.numeric).all()
    assert not list(tmp_path.rglob("*.pkl"))


def test_an_incomplete_preprocessor_is_an_error(ratings, tmp_path):
    ratings.save(tmp_path)
    (tmp_path / "vocabulary" / "0.parquet").unlink()

    with pytest.raises(DataError, match="has no complete preprocessor"):
        Preprocessor.load(tmp_path)


STRANGE = [
    "user_id:token",
    "item %/\\\n?#",
    "100%20",
    "..",
    "a \"b\" 'c'",
    "größe €",
    "x" * 300,
    "",
    "0",
    "tags 1",
    "price missing",
    "A",
    "a",
]


@pytest.fixture
def strange(entry):
    """A preprocessor of columns with unusual names, and its training rows."""
    columns = {"categorical": STRANGE, "numeric": ["price", "a.b"]}
    several = {"tags": {"separator": "|", "max_length": 2}}
    rows = pd.DataFrame({name: [f"{place}", "x", None] for place, name in enumerate(STRANGE)})
    rows = rows.assign(**{"tags": ["p|q", "q", None], "price": [1.0, None, 2.0], "a.b": [3.0] * 3})
    rows["rating"] = [1.0, 2.0, 3.0]
    made = entry(user=None, item=None, multi_valued=several, **columns)
    return Preprocessor.fit(made, settings(), rows), rows


def test_columns_with_any_names_are_saved(strange, tmp_path):
    fitted, rows = strange
    fitted.save(tmp_path)
    loaded = Preprocessor.load(tmp_path)

    assert loaded.schema == fitted.schema
    names = [*fitted.schema.id_columns, *fitted.schema.numeric]
    assert len(set(names)) == len(names) == len(STRANGE) + 2 + 3
    assert (loaded.encode(rows).categorical == fitted.encode(rows).categorical).all()
    assert (loaded.encode(rows).numeric == fitted.encode(rows).numeric).all()
    files = [file.name for file in tmp_path.rglob("*") if file.is_file()]
    assert all(re.fullmatch(r"[a-z0-9._]+", name) for name in files)


def test_vocabularies_that_an_earlier_version_named_after_columns_are_read(entry, tmp_path):
    columns = ["1", "0", "user:token"]
    rows = pd.DataFrame({name: [f"{name} x", "y"] for name in columns}).assign(rating=[1.0, 2.0])
    fitted = Preprocessor.fit(
        entry(user=None, item=None, categorical=columns, numeric=[]), settings(), rows
    )
    fitted.save(tmp_path)
    folder, about = tmp_path / "vocabulary", tmp_path / "preprocessing.json"
    for place, name in enumerate(("1", "0", "user%3atoken")):
        (folder / f"{place}.parquet").rename(folder / f"{name}.before")
    for file in folder.iterdir():
        file.rename(file.with_suffix(".parquet"))
    about.write_text(json.dumps({"numeric": json.loads(about.read_text())["numeric"]}))

    loaded = Preprocessor.load(tmp_path)

    assert (loaded.encode(rows).categorical == fitted.encode(rows).categorical).all()
