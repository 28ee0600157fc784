"""Words for missing values, labels of words and formatted numbers mean the same everywhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from autorec_core.config import PreprocessParams
from autorec_core.data import spelled
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.reading.raw import read_raw
from autorec_core.errors import DataError

MISSING = ["NA", "-", "-999"]
HEAD = "site,device,price,age,click\n"
SPELLED = {"missing": MISSING, "positive": "yes", "negative": ["no", "never"], "decimal": ","}


def text_of(rows):
    return HEAD.replace(",", ";") + "".join(";".join(row) + "\n" for row in rows)


@pytest.fixture
def written(clicks):
    """An entry that uses all keys of `Spelling`."""
    form = {"kind": "delimited", "separator": ";", "header": True, "quoted": False, "columns": []}
    return clicks(**SPELLED, format=form)


@pytest.mark.parametrize("repeat", [1, 50])
def test_training_reads_values_as_the_entry_spells_them(written, tmp_path, repeat):
    rows = [("a", "NA", "1.234,5", "-", "yes"), ("-", "x", "-999", "7", "no")] * repeat
    (tmp_path / "t.csv").write_text(text_of([*rows, ("b", "y", "3", "-999,0", "never")]))
    found = read_raw(written, tmp_path / "t.csv", check_labels=True)

    assert found["site"].iloc[:2].fillna("gap").tolist() == ["a", "gap"]
    assert found["device"].iloc[:2].fillna("gap").tolist() == ["gap", "x"]
    assert found["price"].fillna(0).tolist() == [1234.5, 0.0] * repeat + [3.0]
    assert found["age"].isna().tolist() == [True, False] * repeat + [True]
    assert found["click"].tolist() == [1.0, 0.0] * repeat + [0.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "x", "1", "2", "maybe"), "click is 'maybe'; one of never, no, yes is expected"),
        (("a", "x", "1", "2", "NA"), "click is 'NA'; a value is expected"),
        (("a", "x", "1.5", "2", "yes"), "price is '1.5'; a number with the decimal sign ','"),
        (("a", "x", "none", "2", "yes"), "price is 'none'; a number with the decimal sign ','"),
    ],
)
def test_a_value_with_another_spelling_is_a_bad_row(written, tmp_path, row, message):
    (tmp_path / "t.csv").write_text(text_of([("a", "x", "1", "2", "yes"), row]))

    with pytest.raises(DataError, match=f"line 3: {message}"):
        read_raw(written, tmp_path / "t.csv", check_labels=True)


def test_without_negative_words_all_other_labels_are_0(clicks, tmp_path):
    (tmp_path / "t.csv").write_text(HEAD + "a,x,1,2,buy\na,x,1,2,view\na,x,1,2,cart\n")
    entry = clicks(positive=["buy", "cart"])

    assert read_raw(entry, tmp_path / "t.csv")["click"].tolist() == [1.0, 0.0, 1.0]


def test_a_label_of_numbers_may_be_named_too(clicks, tmp_path):
    frame = pd.DataFrame({"site": "a", "device": "b", "price": 1.0, "age": 2, "click": [2, 1, 2]})
    frame.to_parquet(tmp_path / "t.parquet")
    entry = clicks(format={"kind": "parquet"}, positive="2", negative="1")

    assert read_raw(entry, tmp_path / "t.parquet")["click"].tolist() == [1.0, 0.0, 1.0]


@pytest.fixture
def fitted(written):
    train = pd.DataFrame(
        {
            "site": ["a", "b", None],
            "device": ["x", None, "y"],
            "price": [1.0, np.nan, 1234.5],
            "age": [1.0, 2.0, np.nan],
            "click": [1.0, 0.0, 1.0],
        }
    )
    settings = PreprocessParams(
        min_count=1, max_vocabulary=None, numeric="standard", missing_flag=True
    )
    return Preprocessor.fit(written, settings, train)


def rows_spelled(count):
    """The same rows as plain values and as the file spells them."""
    plain = {
        "site": ["a", None],
        "device": [None, "x"],
        "price": [1234.5, None],
        "age": [None, 2.0],
    }
    text = {
        "site": ["a", "NA"],
        "device": ["-", "x"],
        "price": ["1.234,5", "NA"],
        "age": ["-999", "2"],
    }
    return [{name: column * count for name, column in one.items()} for one in (plain, text)]


@pytest.mark.parametrize("count", [1, 50])
def test_scoring_reads_values_as_training_does(fitted, tmp_path, count):
    fitted.save(tmp_path / "saved")
    loaded = Preprocessor.load(tmp_path / "saved")
    plain, text = rows_spelled(count)
    expected = fitted.encode(pd.DataFrame(plain))
    table = {name: pa.array(column, pa.string()) for name, column in text.items()}

    for found in (
        loaded.encode(pd.DataFrame(text)),
        loaded.encode_columns(table, 2 * count),
        loaded.encode(pd.DataFrame(text).assign(click="yes")),
    ):
        assert (found.categorical == expected.categorical).all()
        assert found.numeric == pytest.approx(expected.numeric)


def test_labels_of_words_are_encoded_and_prepared_ones_stay(fitted):
    plain, _ = rows_spelled(1)

    words = fitted.encode(pd.DataFrame(plain).assign(click=["never", "yes"]))
    assert words.label.tolist() == [0.0, 1.0]
    assert fitted.encode(pd.DataFrame(plain).assign(click=[0.0, 1.0])).label.tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match="click is 'maybe'; one of never, no, yes"):
        fitted.encode(pd.DataFrame(plain).assign(click=["maybe", "yes"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positive": True}, "put the word in quotes"),
        ({"missing": [None]}, "put the word in quotes"),
        ({"negative": ["no"]}, "`negative` is only allowed with `positive`"),
        ({"positive": "a", "negative": "a"}, "'a' is listed under `positive` and under `negative`"),
        ({"positive": "a", "missing": "a"}, "'a' is listed under `positive` and under `missing`"),
        ({"positive": "a", "task": "rating"}, "`positive` is only allowed with `task: ctr`"),
        ({"decimal": ";"}, "'.' or ','"),
    ],
)
def test_contradictory_spellings_are_an_error(clicks, changes, message):
    with pytest.raises(ValidationError, match=message):
        clicks(**changes)


@pytest.mark.parametrize(
    ("decimal", "text", "number"),
    [
        (",", "1.234.567,8", "1234567.8"),
        (",", "-3,5 kr", "-3.5"),
        (",", "€ 12", "12"),
        (".", "$1,000", "1000"),
        (".", "(5)", None),
        (".", "1,2", None),
        (",", "1.5", None),
        (",", "1e3", None),
        (None, "1,5", "1,5"),
    ],
)
def test_a_formatted_number_is_read_or_wrong_but_never_misread(decimal, text, number):
    found = spelled.plain_numbers(pa.array([text]), decimal)[0].as_py()

    if number is None:
        assert text in found
        assert found != text
    else:
        assert found == number
