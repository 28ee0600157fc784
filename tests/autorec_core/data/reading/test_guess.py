"""The proposed entry of a table is what a person would write."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from autorec_core.data.reading.guess import Chosen, propose
from autorec_core.errors import DataError


def table(rows=300):
    random = np.random.default_rng(0)
    genres = np.array(["drama", "comedy", "war", "action"])
    return pd.DataFrame(
        {
            "row_id": [f"r{n:06}" for n in random.permutation(rows)],
            "user_id": random.integers(0, 20, rows),
            "item": random.integers(0, 40, rows),
            "genres": ["|".join(random.choice(genres, random.integers(1, 4))) for _ in range(rows)],
            "price": random.normal(size=rows).round(3),
            "age": random.integers(10, 90, rows),
            "zip_code": [f"{n:05}" for n in random.integers(0, 50, rows)],
            "country": "nl",
            "created_at": 1_600_000_000 + random.integers(0, 10**6, rows),
            "rating": random.integers(1, 6, rows),
        }
    )


def roles(entry):
    kinds = ("label", "categorical", "numeric", "ignored", "user", "item", "time", "task")
    return {kind: entry[kind] for kind in kinds}


EXPECTED = {
    "label": "rating",
    "categorical": ["user_id", "item", "zip_code"],
    "numeric": ["price", "age"],
    "ignored": ["row_id", "country", "created_at"],
    "user": "user_id",
    "item": "item",
    "time": "created_at",
    "task": "rating",
}


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_text_table_is_described_by_names_and_values(tmp_path, separator, packed):
    text = table().to_csv(index=False, sep=separator).encode()
    (tmp_path / "t").write_bytes(gzip.compress(text) if packed else text)
    entry = propose(tmp_path / "t").entry

    assert roles(entry) == EXPECTED
    assert list(entry["multi_valued"]) == ["genres"]
    assert entry["multi_valued"]["genres"]["separator"] == "|"
    assert entry["format"]["separator"] == separator
    assert entry["format"]["header"]
    assert entry["facts"]["label_values"] == [1, 2, 3, 4, 5]


LABELS = {
    "stars": ([1, 2, 3, 4, 5], 300, True),
    "stars of which one is missing": ([1, 2, 4, 5], 300, True),
    "half stars": ([0.5, 1, 1.5, 2, 2.5, 3, 4, 5], 300, True),
    "three grades": ([-1, 0, 1], 60, True),
    "a few prices": ([9.99, 12.5, 19.99, 49.0], 300, False),
    "prices of a small file": ([4.25, 7, 7.5, 8.99, 11, 12.2, 14.9, 15, 18.4, 21, 25.5], 28, False),
    "counts of a small file": (list(range(1, 19)), 20, False),
    "one value": ([3], 60, False),
}


@pytest.mark.parametrize("case", LABELS)
def test_only_labels_of_a_scale_must_stay_as_they_are(tmp_path, case):
    values, rows, is_scale = LABELS[case]
    found = table(rows).assign(rating=np.resize(values, rows))
    found.to_csv(tmp_path / "t.csv", index=False)

    facts = propose(tmp_path / "t.csv", "rating").entry["facts"]

    assert facts["label_values"] == (sorted(values) if is_scale else None)


def test_a_parquet_file_is_described_alike(tmp_path):
    table().to_parquet(tmp_path / "t.parquet")
    entry = propose(tmp_path / "t.parquet").entry

    assert roles(entry) == EXPECTED
    assert entry["format"] == {"kind": "parquet"}


def test_labels_0_and_1_are_clicks(tmp_path):
    rows = table().assign(rating=lambda rows: (rows["rating"] > 4).astype(int))
    rows.rename(columns={"rating": "outcome"}).to_csv(tmp_path / "t.csv", index=False)
    entry = propose(tmp_path / "t.csv").entry

    assert (entry["task"], entry["label"]) == ("ctr", "outcome")


def test_without_a_header_columns_are_numbered(tmp_path):
    table().to_csv(tmp_path / "t.csv", index=False, header=False)
    entry = propose(tmp_path / "t.csv", label="column_10").entry

    assert not entry["format"]["header"]
    assert entry["format"]["columns"][0] == "column_1"
    assert entry["task"] == "rating"


def test_quotes_may_hold_the_separator(tmp_path):
    rows = table()
    rows["title"] = [f"Film {n % 9}, The" for n in range(len(rows))]
    rows.to_csv(tmp_path / "t.csv", index=False)
    entry = propose(tmp_path / "t.csv").entry

    assert entry["format"]["quoted"]
    assert "title" in entry["categorical"]


@pytest.mark.parametrize(
    ("content", "label", "message"),
    [
        ("a,b\n1,2\n3,4\n", None, "no column looks like a label; name one of a, b with --label"),
        ("a,b\n1,2\n3,4\n", "c", "has no column 'c'; it has a, b"),
        ("a,b\n1,x\n3,y\n", "b", "b cannot be the label; a label must be a number in every row"),
        ("just words\n", None, "is not a table"),
        ("", None, "is empty"),
        ("a,a\n1,2\n", None, "the header names a twice"),
    ],
)
def test_a_file_that_is_not_a_table_with_a_label_is_an_error(tmp_path, content, label, message):
    (tmp_path / "t.csv").write_text(content)

    with pytest.raises(DataError) as caught:
        propose(tmp_path / "t.csv", label)

    assert message in str(caught.value)


def test_rows_of_users_and_items_without_a_label_are_interactions(tmp_path):
    file = tmp_path / "purchases.csv"
    file.write_text("user,item,time\n" + "".join(f"u{n % 7},i{n},{n}\n" for n in range(60)))

    entry = propose(file).entry

    assert (entry["task"], entry["label"], entry["time"]) == ("ranking", None, "time")
    assert entry["facts"]["label_values"] is None
    assert entry["negatives"] == {"per_positive": 4, "by": "popularity"}


def test_a_label_is_a_strength_if_ranking_is_chosen(tmp_path):
    file = tmp_path / "plays.csv"
    file.write_text(
        "user,item,plays\n" + "".join(f"u{n % 7},i{n},{n % 3 + 1}\n" for n in range(60))
    )

    entry = propose(file, "plays", Chosen(task="ranking")).entry

    assert (entry["task"], entry["label"]) == ("ranking", "plays")
    file.write_text("user,what\n" + "".join(f"u{n % 7},w{n}\n" for n in range(60)))
    with pytest.raises(DataError, match="no column looks like the item"):
        propose(file, None, Chosen(task="ranking"))
