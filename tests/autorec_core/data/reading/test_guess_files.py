"""Proposed entries of files in many forms, and the errors for files that cannot be read."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from autorec_core.config import DatasetParams
from autorec_core.data.reading.guess import Chosen, propose
from autorec_core.data.reading.raw import read_raw
from autorec_core.errors import DataError

ROWS = 200


def ratings():
    random = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "user_id": random.integers(1, 30, ROWS),
            "item_id": random.integers(1, 40, ROWS),
            "rating": random.integers(1, 6, ROWS),
            "ts": 880_000_000 + random.integers(0, 10**7, ROWS),
        }
    )


def described(entry):
    """Returns a proposed entry as it is read from params.yaml."""
    entry = yaml.safe_load(yaml.safe_dump(entry))
    return DatasetParams.model_validate({**entry, "sources": [{"kind": "file", "path": "t"}]})


def read(path, *arguments, **options):
    """Returns the proposal for a file, and the rows that are read with it."""
    proposal = propose(path, *arguments, **options)
    return proposal, read_raw(described(proposal.entry), path, check_labels=True)


def test_the_index_that_pandas_stores_is_not_learned_from(tmp_path):
    frame = ratings().set_index(np.random.default_rng(0).permutation(ROWS))
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv")

    assert "__index_level_0__" in propose(tmp_path / "t.parquet").entry["ignored"]
    proposal, rows = read(tmp_path / "t.csv")
    assert proposal.entry["format"]["columns"][0] == ""
    assert proposal.entry["ignored"] == ["", "ts"]
    assert rows["rating"].tolist() == frame["rating"].tolist()


@pytest.mark.parametrize("name", ["serial", "Unnamed: 0", "n", "visit"])
@pytest.mark.parametrize("order", ["counted", "shuffled"])
def test_row_numbers_are_not_learned_from(tmp_path, name, order):
    numbers = np.arange(1000, 1000 + ROWS)
    if order == "shuffled":
        numbers = np.random.default_rng(0).permutation(numbers)
    ratings().assign(**{name: numbers}).to_csv(tmp_path / "t.csv", index=False)

    assert name in propose(tmp_path / "t.csv").entry["ignored"]


def test_repeated_whole_numbers_and_fractions_are_learned_from(tmp_path):
    random = np.random.default_rng(0)
    added = {"visits": random.integers(0, 150, ROWS), "price": random.normal(size=ROWS)}
    ratings().assign(**added).to_csv(tmp_path / "t.csv", index=False)

    assert propose(tmp_path / "t.csv").entry["numeric"] == ["visits", "price"]


def test_in_a_file_of_ids_without_a_header_columns_can_be_named(tmp_path):
    ratings().to_csv(tmp_path / "u.data", sep="\t", header=False, index=False)
    chosen = Chosen(user="column_1", item="column_2", time="column_4")
    entry = propose(tmp_path / "u.data", "column_3", chosen).entry

    assert entry["categorical"] == ["column_1", "column_2"]
    assert (entry["user"], entry["item"], entry["time"]) == ("column_1", "column_2", "column_4")
    assert (entry["numeric"], entry["ignored"]) == ([], ["column_4"])


def test_the_user_decides_the_role_of_any_column(tmp_path):
    random = np.random.default_rng(0)
    frame = ratings().assign(
        a=random.integers(0, 99, ROWS), b=random.integers(0, 5, ROWS), c=np.arange(ROWS), d="x"
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    chosen = Chosen(categorical=["a", "item_id"], numeric=["b", "c"], ignored=["user_id"])
    entry = propose(tmp_path / "t.csv", chosen=chosen).entry

    assert entry["categorical"] == ["item_id", "a"]
    assert entry["numeric"] == ["b", "c"]
    assert entry["ignored"] == ["user_id", "ts", "d"]
    assert entry["user"] is None


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (Chosen(user="nobody"), "has no column 'nobody'"),
        (Chosen(ignored=["nothing"]), "has no column 'nothing'"),
        (Chosen(user="item_id", item="item_id"), "name item_id for two roles"),
        (Chosen(user="rating"), "name rating for two roles"),
        (Chosen(numeric=["ts"], ignored=["ts"]), "name ts for two roles"),
        (Chosen(numeric=["word"]), "word cannot be numeric"),
        (Chosen(time="word"), "word cannot be the time"),
    ],
)
def test_a_role_that_a_column_cannot_have_is_an_error(tmp_path, chosen, message):
    ratings().assign(word=["a", "b"] * (ROWS // 2)).to_csv(tmp_path / "t.csv", index=False)

    with pytest.raises(DataError, match=message):
        propose(tmp_path / "t.csv", "rating", chosen)


@pytest.mark.parametrize(
    ("words", "positive", "negative"),
    [
        (["<=50K", ">50K"], [">50K"], ["<=50K"]),
        (["yes", "no"], ["yes"], ["no"]),
        (["N", "Y"], ["Y"], ["N"]),
        (["True", "False"], ["true"], ["false"]),
        (["Yes", "NO", "yes"], ["Yes", "yes"], ["NO"]),
        (["clicked", "not clicked"], ["clicked"], ["not clicked"]),
        (["red", "red", "red", "blue"], ["blue"], ["red"]),
        (["1", "-1"], ["1"], ["-1"]),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_label_of_two_words_is_a_click(tmp_path, words, positive, negative, kind):
    frame = ratings().drop(columns="rating").assign(outcome=np.resize(words, ROWS))
    path = tmp_path / f"t.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    proposal, rows = read(path, "outcome")

    entry = described(proposal.entry)
    assert (entry.task, entry.positive, entry.negative) == ("ctr", positive, negative)
    truth = frame["outcome"].str.lower().isin([word.lower() for word in positive])
    assert rows["outcome"].tolist() == truth.astype(float).tolist()


def test_with_more_words_the_user_chooses_the_positive_ones(tmp_path):
    events = np.resize(["view", "cart", "buy", "view"], ROWS)
    ratings().assign(event=events).drop(columns="rating").to_csv(tmp_path / "t.csv", index=False)

    with pytest.raises(DataError, match="--positive"):
        propose(tmp_path / "t.csv", "event")
    proposal, rows = read(tmp_path / "t.csv", "event", Chosen(positive=["buy", "cart"]))
    assert proposal.entry["negative"] == "view"
    assert rows["event"].mean() == 0.5
    with pytest.raises(DataError, match="event is never 'sell'"):
        propose(tmp_path / "t.csv", "event", Chosen(positive=["sell"]))


@pytest.mark.parametrize(
    "word",
    ["NA", "NULL", "\\N", "nan", "None", "n/a", "-", "N/A", "#N/A", "?", "null", "NaT", "#DIV/0!"],
)
def test_a_word_for_missing_in_a_column_of_numbers_is_a_missing_value(tmp_path, word):
    random = np.random.default_rng(0)
    price = np.where(random.random(ROWS) < 0.2, word, random.normal(size=ROWS).round(3).astype(str))
    ratings().assign(price=price).to_csv(tmp_path / "t.csv", index=False)
    proposal, rows = read(tmp_path / "t.csv")

    assert proposal.entry["missing"] == [word]
    assert proposal.entry["numeric"] == ["price"]
    assert rows["price"].isna().sum() == (price == word).sum()


def test_a_date_in_parquet_cannot_be_the_label(tmp_path):
    dates = pd.date_range("2024-01-01", periods=ROWS)
    frame = ratings().drop(columns="rating")
    for kind in (pa.date32(), pa.timestamp("ms"), pa.timestamp("ns", "Europe/Berlin")):
        label = pa.array(dates.to_pydatetime()).cast(pa.timestamp("us")).cast(kind)
        table = pa.Table.from_pandas(frame.assign(number=np.resize([1, 2, 3], ROWS)))
        table = table.append_column("rating", label)
        pq.write_table(table, tmp_path / "t.parquet")
        with pytest.raises(DataError, match="rating cannot be the label"):
            propose(tmp_path / "t.parquet", "rating")
        entry = described(propose(tmp_path / "t.parquet", "number").entry)
        entry = entry.model_copy(update={"label": "rating", "ignored": ["number"]})
        with pytest.raises(DataError, match="rating cannot be the label; its type is"):
            read_raw(entry, tmp_path / "t.parquet")


def test_thumbs_are_a_label(tmp_path):
    ratings().assign(rating=np.resize(["👍", "👎", "👍", "👍"], ROWS)).to_csv(
        tmp_path / "t.csv", index=False
    )

    entry = propose(tmp_path / "t.csv", "rating").entry

    assert (entry["positive"], entry["negative"]) == ("👍", "👎")


def test_a_word_for_missing_between_categories_is_a_category(tmp_path):
    ratings().assign(country=np.resize(["NA", "DE", "-"], ROWS)).to_csv(
        tmp_path / "t.csv", index=False
    )
    proposal, rows = read(tmp_path / "t.csv")

    assert proposal.entry["missing"] == []
    assert set(rows["country"]) == {"NA", "DE", "-"}


@pytest.mark.parametrize(
    ("written", "decimal", "number"),
    [
        ("{0},50", ",", 0.5),
        ("1.{0:03},25 €", ",", 1000.25),
        ("$1,{0:03}.50", ".", 1000.5),
        ("{0} %", ".", 0),
        ("EUR {0},5", ",", 0.5),
        ("1'{0:03}.75", ".", 1000.75),
        ("1 {0:03},5", ",", 1000.5),
    ],
)
def test_numbers_are_read_as_people_write_them(tmp_path, written, decimal, number):
    whole = np.random.default_rng(0).integers(100, 400, ROWS)
    frame = ratings().assign(price=[written.format(one) for one in whole])
    frame.to_csv(tmp_path / "t.csv", index=False, sep=";")
    proposal, rows = read(tmp_path / "t.csv")

    assert (proposal.entry["decimal"], proposal.entry["numeric"]) == (decimal, ["price"])
    assert rows["price"].tolist() == (whole + number).tolist()


def test_a_table_saved_by_excel_is_read(tmp_path):
    text = "sep=;\r\n" + ratings().to_csv(index=False, sep=";", lineterminator="\r\n")
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    proposal, rows = read(tmp_path / "t.csv")

    assert proposal.entry["format"]["separator"] == ";"
    assert rows["rating"].tolist() == ratings()["rating"].tolist()


def test_a_comma_and_a_space_separate_columns_too(tmp_path):
    text = "\n".join(", ".join(map(str, row)) for row in ratings().to_numpy())
    (tmp_path / "t.csv").write_text(text + "\n\n")
    proposal, rows = read(tmp_path / "t.csv", "column_3")

    assert proposal.entry["on_bad_rows"] == "quarantine"  # the empty line at the end
    assert rows["column_3"].tolist() == ratings()["rating"].tolist()


def test_columns_of_every_parquet_type_have_a_role_that_can_be_read(tmp_path):
    random, count = np.random.default_rng(0), range(ROWS)
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(int(n)) for n in count]
    columns = {
        "price": pa.array([Decimal(n) / 100 for n in count], pa.decimal128(12, 2)),
        "watched": pa.array(random.integers(1, 10**9, ROWS), pa.duration("us")),
        "clock": pa.array([n * 60 for n in count], pa.time32("s")),
        "half": pa.array(random.normal(size=ROWS).astype(np.float16)),
        "plan": pa.array([str(n % 30) for n in count]).dictionary_encode(),
        "code": pa.array([n % 30 for n in count]).dictionary_encode(),
        "kind": pa.array([f"k{n % 3}".encode() for n in count], pa.binary()),
        "device": pa.array(random.integers(2**60, 2**60 + 9, ROWS)),
        "active": pa.array([n % 2 == 0 for n in count]),
        "day": pa.array(days),
        "genres": pa.array([["a|b", "c"][: n % 3] for n in count]),
        "pair": pa.array([[n % 4, n % 5] for n in count], pa.list_(pa.int64(), 2)),
        "blob": pa.array([bytes([255, n]) for n in count]),
        "place": pa.array([{"x": n} for n in count]),
        "extra": pa.array([[("k", n)] for n in count], pa.map_(pa.string(), pa.int64())),
        "embedding": pa.array([[0.5, n / 7] for n in count]),
        "nested": pa.array([[[n]] for n in count]),
        "nothing": pa.nulls(ROWS),
        "rating": pa.array([n % 5 + 1 for n in count], pa.float32()),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    proposal, rows = read(tmp_path / "t.parquet")
    entry = proposal.entry

    assert entry["numeric"] == ["price", "watched", "clock", "half"]
    assert set(entry["categorical"]) >= {"plan", "kind", "device", "active"}
    assert list(entry["multi_valued"]) == ["genres", "pair"]
    assert entry["multi_valued"]["genres"] == {"separator": ";", "max_length": 2}
    ignored = {"blob", "place", "extra", "embedding", "nested", "nothing", "day"}
    assert ignored <= set(entry["ignored"])
    assert entry["time"] == "day"
    assert "place: its type, struct<x: int64>, is not read" in proposal.notes
    assert rows["clock"].tolist() == [n * 60.0 for n in count]
    assert rows["pair"][1] == "1|1"


def test_a_partitioned_folder_is_one_table(tmp_path):
    table = ratings().assign(country=np.resize(["nl", "Österreich"], ROWS))
    pq.write_to_dataset(pa.Table.from_pandas(table), tmp_path / "parts", partition_cols=["country"])
    (tmp_path / "parts" / "_SUCCESS").touch()
    proposal, rows = read(tmp_path / "parts")

    assert proposal.entry["categorical"] == ["user_id", "item_id", "country"]
    assert proposal.entry["file"] == "parts"
    assert rows["country"].value_counts().to_dict() == {"nl": 100, "Österreich": 100}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,stadt,rating\n1,München,3\n".encode("latin-1"), r"line 2: not UTF-8 .* iconv"),
        ("user,rating\n1,3\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
        ('user,text,rating\n1,"a\nb",3\n2,"c",4\n', "line 2: a quoted field continues in the next"),
        ("My report\nuser,item,rating\n1,2,3\n" + "1,2,4\n" * 20, "above the header"),
        ("user,item,rating\n" + "9,1,2,3\n" * 20, "the header names 3 columns, but the lines .* 4"),
        ("user,user,rating\n1,2,3\n", "names user twice"),
        (",,rating\n1,2,3\n1,2,4\n", "leaves 2 columns without a name"),
        ("user,item,rating\n", "no row below its header"),
        ("user,item,rating\r1,2,3\r", "carriage returns"),
        ('[{"user": 1}]\n', "is JSON"),
        (b"PK\x03\x04" + b"x" * 99, "Excel or zip"),
        ("a,rating\n" + "7,3\n7,4\n" * 30, "no column to learn from except rating"),
    ],
)
def test_a_file_that_cannot_be_read_gives_a_clear_error(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(DataError, match=message):
        propose(path)


def test_a_folder_without_parquet_files_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")

    with pytest.raises(DataError, match=r"a folder without Parquet files.*\*\.csv"):
        propose(tmp_path)


def test_lines_that_are_wrong_are_set_aside(tmp_path):
    lines = [f"{n % 7},{n % 5},{n % 4}" for n in range(60)]
    lines[10], lines[20] = "1,2", ""
    (tmp_path / "t.csv").write_text("user,item,rating\n" + "\n".join(lines) + "\n")
    proposal, rows = read(tmp_path / "t.csv")

    assert proposal.entry["on_bad_rows"] == "quarantine"
    assert "1 line is without 3 columns, the first is line 12" in " ".join(proposal.notes)
    assert len(rows) == 58
