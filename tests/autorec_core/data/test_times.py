"""Each form of a time is read exactly, or gives an error that says what is allowed."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autorec_core.config import SplitParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.survey import survey_chunk
from autorec_core.data.reading.guess import propose
from autorec_core.data.reading.raw import read_raw
from autorec_core.errors import DataError

TWO = int(pd.Timestamp("2024-03-26 14:00:00").timestamp())
DAY = int(pd.Timestamp("2024-03-26").timestamp())
FORMS = {
    "2024-03-26": DAY,
    "2024/03/26": DAY,
    "20240326": DAY,
    "20240326.0": DAY,
    "2024-03-26 14:00:00": TWO,
    "2024-03-26T14:00:00": TWO,
    "2024-03-26 14:00": TWO,
    "2024-03-26T14:00Z": TWO,
    "2024-03-26 14:00:00Z": TWO,
    "2024-03-26 14:00:00 UTC": TWO,
    "2024-03-26 14:00:00+00:00": TWO,
    "2024-03-26 14:00:00.000000+00:00": TWO,
    "2024-03-26 14:00:00.250": TWO + 0.25,
    "2024-03-26 14:00:00.250000000Z": TWO + 0.25,
    "2024-03-26T19:30:00+0530": TWO,
    "2024-03-26 19:30:00 +05:30": TWO,
    "2024-03-26 15:00:00+01": TWO,
    "2024-03-26 06:00:00-08:00": TWO,
    "2024-03-25T23:00-15:00": None,
    str(TWO): TWO,
    f"{TWO}.0": TWO,
    f"{TWO}.5": TWO + 0.5,
    f"{TWO}000": TWO,
    f"{TWO}250": TWO + 0.25,
    f"{TWO}000000": TWO,
    f"{TWO}000000000": TWO,
    "202403261400": TWO,
    "20240326140000": TWO,
    "14102123": int(pd.Timestamp("2014-10-21 23:00").timestamp()),
    "1969-12-31 23:59:59": -1,
    "0": 0,
    "17": 17,
    "26.03.2024": None,
    "26/03/2024": None,
    "03/26/2024 14:00": None,
    "26-03-2024": None,
    "2024-02-30": None,
    "2024-13-01": None,
    "2024-03-26 24:00": None,
    "2024-03-26 14:60": None,
    "2024-03-26 14:00:00 Europe/Berlin": None,
    "20241399": None,
    "2024032614": None,
    "NaT": None,
    " 2024-03-26": None,
    "yesterday": None,
}
TYPED = [
    pa.array([datetime.datetime(2024, 3, 26, 14)], pa.timestamp(unit, zone))
    for unit in ("s", "ms", "us", "ns")
    for zone in (None, "UTC", "America/New_York")
]
TYPED += [pa.array([TWO], kind) for kind in (pa.int64(), pa.float64(), pa.uint32())]
TYPED += [pa.array([TWO * 1000], pa.int64()), pa.array([f"{TWO}"], pa.large_string())]


@pytest.fixture
def timed(entry):
    return entry(time="when", ignored=["when"])


def read(entry, tmp_path, text):
    (tmp_path / "rows.csv").write_text(f"user,item,rating,when\na,x,1,{text}\n")
    return read_raw(entry, tmp_path / "rows.csv")["when"].tolist()


def test_each_form_of_a_time_is_read_or_is_an_error(timed, tmp_path):
    for text, seconds in FORMS.items():
        if seconds is not None:
            assert read(timed, tmp_path, text) == [seconds], text
            continue
        with pytest.raises(DataError) as caught:
            read(timed, tmp_path, text)
        message = str(caught.value)
        assert f"line 2: when is {text!r}; a time is expected: seconds since 1970, or" in message
        assert "\n" not in message


def test_one_column_may_have_times_in_several_forms(timed, tmp_path):
    good = {text: seconds for text, seconds in FORMS.items() if seconds is not None}
    lines = "".join(f"a,x,1,{text}\n" for text in good)
    (tmp_path / "rows.csv").write_text("user,item,rating,when\n" + lines)

    assert read_raw(timed, tmp_path / "rows.csv")["when"].tolist() == list(good.values())


def test_a_missing_time_is_refused(timed, tmp_path):
    with pytest.raises(DataError, match="line 2: when is empty; a value is expected"):
        read(timed, tmp_path, "")


def parquet(entry, tmp_path, column):
    table = pa.table({"user": ["a"], "item": ["x"], "rating": [1.0], "when": column})
    pq.write_table(table, tmp_path / "rows.parquet")
    described = entry(time="when", ignored=["when"], format={"kind": "parquet"})
    return read_raw(described, tmp_path / "rows.parquet")["when"].tolist()


def test_parquet_has_times_in_each_unit_and_zone(entry, tmp_path):
    for column in TYPED:
        assert parquet(entry, tmp_path, column) == [TWO], column.type
    for kind in (pa.date32(), pa.date64()):
        column = pa.array([datetime.date(2024, 3, 26)], kind)
        assert parquet(entry, tmp_path, column) == [DAY]


def test_times_around_a_change_to_summer_time_are_correct(entry, tmp_path):
    # At 1 o'clock UTC of this day clocks in Berlin went from 2 to 3.
    local = pd.Series(pd.to_datetime(["2024-03-31 01:59:59", "2024-03-31 03:00:00"]))
    local = local.dt.tz_localize("Europe/Berlin")
    moments = [int(pd.Timestamp(f"2024-03-31 {clock}").timestamp()) for clock in ("00:59:59", "01")]
    frame = pd.DataFrame({"user": "a", "item": "x", "rating": 1.0, "when": local})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")

    described = entry(time="when", ignored=["when"])
    assert read_raw(described, tmp_path / "rows.csv")["when"].tolist() == moments
    described = entry(time="when", ignored=["when"], format={"kind": "parquet"})
    assert read_raw(described, tmp_path / "rows.parquet")["when"].tolist() == moments


def test_a_time_that_is_a_category_too_is_ordered_by_the_moment(entry, tmp_path):
    described = entry(time="when", categorical=["user", "item", "when"])
    (tmp_path / "rows.csv").write_text(
        "user,item,rating,when\na,x,1,2024-03-26 14:00:00+01:00\na,x,2,2024-03-26 13:30:00Z\n"
    )
    rows = read_raw(described, tmp_path / "rows.csv")
    split = SplitParams(strategy="by_time", ratios=[0.8, 0.1, 0.1])

    seen = survey_chunk(described, split, tmp_path, pa.Table.from_pandas(rows))

    assert seen.times is not None
    assert seen.times.tolist() == [TWO - 3600, TWO - 1800]


def test_a_time_feature_is_read_in_the_same_way_in_training_and_scoring(
    entry, preprocess, tmp_path
):
    described = entry(time="when", numeric=["when"])
    texts = ["2024-03-26 14:00", "2024-03-26", "2020-01-01"]
    lines = "".join(f"a,x,1,{text}\n" for text in texts)
    (tmp_path / "rows.csv").write_text("user,item,rating,when\n" + lines)
    train = read_raw(described, tmp_path / "rows.csv")
    fitted = Preprocessor.fit(described, preprocess, train)
    expected = fitted.encode(train).numeric[0, 0]

    rows = pd.DataFrame({"user": "a", "item": "x"}, index=range(1))
    forms = ("2024-03-26 15:00:00+01:00", TWO, TWO * 1000, pd.Timestamp("2024-03-26 14:00"))
    for repeat in (1, 100):
        for form in forms:
            given = pd.concat([rows.assign(when=form)] * repeat, ignore_index=True)
            assert fitted.encode(given).numeric[:, 0].tolist() == [expected] * repeat
    with pytest.raises(DataError, match=r"Row 1: when is '26\.03\.2024'; a time is expected"):
        fitted.encode(rows.assign(when="26.03.2024"))


@pytest.mark.parametrize(
    "texts",
    [
        [f"2024-03-{day:02} 14:00" for day in range(1, 29)],
        [f"2024-03-{day:02} 14:00:00+00:00" for day in range(1, 29)],
        [f"2024-03-{day:02} 14:00" if day % 5 else "" for day in range(1, 29)],
    ],
    ids=["minutes", "pandas' UTC", "gaps"],
)
@pytest.mark.parametrize("name", ["created_at", "seen"])
def test_times_are_not_read_as_lists_of_categories(tmp_path, texts, name):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": random.integers(0, 30, 400),
            "item_id": random.integers(0, 30, 400),
            "rating": random.integers(1, 6, 400),
            name: random.choice(texts, 400),
        }
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)

    entry = propose(tmp_path / "rows.csv").entry

    assert entry["multi_valued"] == {}
    is_time = name == "created_at" and "" not in texts
    assert entry["time"] == (name if is_time else None)
