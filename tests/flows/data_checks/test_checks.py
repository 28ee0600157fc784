"""The gate: what is wrong stops or is reported, in any chunk, and no id leaks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from entries import ratings_entry

from autorec_core.config import PreprocessParams, SplitParams
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.reading.raw import RawRows
from autorec_core.errors import DataError
from flows.data_checks import checks
from flows.data_checks.checks import check_raw, check_splits

FACTS = {
    "label_mean": [1.5, 2.5],
    "min_rows": 10,
    "ranges": {"age": [0.0, 120.0]},
    "max_psi": 0.25,
}


def entry(facts=(), **changes):
    return ratings_entry({**FACTS, **dict(facts)}, numeric=["age"], max_bad_rows=5, **changes)


def rows(count=600, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": [f"person{n}" for n in random.integers(0, 30, count)],
            "item": [f"artikel{n}" for n in random.integers(0, 200, count)],
            "rating": random.integers(1, 4, count),
            "age": random.integers(18, 90, count),
        }
    )


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """Checks a table with an entry, in chunks of 200 rows."""
    monkeypatch.setattr(checks, "CHUNK_ROWS", 200)
    monkeypatch.setattr(checks, "EDGES_BYTES", 2000)
    monkeypatch.setattr("autorec_core.data.reading.raw.BLOCK_BYTES", 2000)

    def check(table, described=None, previous=None):
        table.to_csv(tmp_path / "ratings.csv", index=False)
        warnings = check_raw(
            "mine",
            described or entry(),
            tmp_path / "ratings.csv",
            tmp_path / "raw.json",
            tmp_path / "docs",
            previous,
        )
        return warnings, json.loads((tmp_path / "raw.json").read_text())

    return check


def test_good_rows_pass_and_leave_counts_and_pages(gate, tmp_path):
    warnings, results = gate(rows())

    assert warnings == []
    assert results["success"]
    assert results["tally"]["rows"] == 600
    in_chunks = next(one for one in results["expectations"] if "in_set" in one["expectation"])
    assert in_chunks["rows"] == 600
    assert (tmp_path / "docs" / "index.html").exists()


BAD = [
    (
        "ranges",
        lambda table: table.assign(age=table["age"].where(table.index < table.index[-1], 999)),
    ),
    ("label_mean", lambda table: table.assign(rating=1 + (table.index % 50 == 0))),
    ("min_rows", lambda table: table.head(5)),
    ("unique", lambda table: pd.concat([table, table.tail(1)])),
]


@pytest.mark.parametrize(("fact", "spoil"), BAD, ids=[fact for fact, _ in BAD])
def test_a_failed_fact_stops_the_run_or_only_warns_as_the_entry_says(gate, fact, spoil):
    facts = {"unique": ["user", "item"]} if fact == "unique" else {}
    table = spoil(rows().drop_duplicates(["user", "item"]))

    with pytest.raises(DataError, match=r"^mine, .* failed.*; see .*index\.html\.$"):
        gate(table, entry(facts))

    warnings, results = gate(table, entry({**facts, "warn_only": [fact]}))
    assert len(warnings) == 1
    assert results["success"]
    assert [one["severity"] for one in results["expectations"] if not one["success"]] == ["warning"]


def test_a_wrong_label_in_the_last_chunk_is_counted(gate):
    table = rows()
    table.loc[599, "rating"] = 9

    with pytest.raises(DataError, match=r"in_set of column rating .* failed: 1 of 600 rows"):
        gate(table)


def test_the_first_chunk_and_those_that_fail_have_a_page(gate, tmp_path):
    table = rows(1000)
    table.loc[[450, 999], "rating"] = 9

    with pytest.raises(DataError, match=r"failed: 2 of 1,000 rows"):
        gate(table)

    assert len(list((tmp_path / "docs" / "validations" / "mine raw rows").rglob("*.html"))) == 3


def test_a_column_of_another_type_is_counted_with_all_its_rows(gate, monkeypatch):
    whole = checks._counted

    def count_as_text(entry, tables, columns, edges, rows):
        place = rows.table.column_names.index("age")
        text = rows.table.set_column(place, "age", rows.table["age"].cast(pa.string()))
        return whole(entry, tables, columns, edges, RawRows(text, rows.numbers))

    monkeypatch.setattr(checks, "_counted", count_as_text)

    with pytest.raises(DataError) as caught:
        gate(rows(), entry({"ranges": {}}))

    (failed,) = str(caught.value).splitlines()
    assert failed.startswith("mine, raw columns: expect_column_values_to_be_of_type of column age")


def test_with_quarantine_the_good_rows_pass(gate):
    table = rows()
    table.loc[599, "rating"] = 9
    _, results = gate(table, entry(on_bad_rows="quarantine"))

    assert results["success"]
    assert results["tally"]["rows"] == 599


def test_drift_is_measured_against_the_previous_version(gate):
    _, before = gate(rows())
    _, same = gate(rows(seed=1), previous=before["tally"])
    assert same["success"]
    assert any(one["table"].startswith("drift") for one in same["expectations"])

    older = rows(seed=2).assign(age=lambda table: table["age"] + 30)
    with pytest.raises(DataError, match=r"drift from the previous version: .* of column age "):
        gate(older, previous=before["tally"])


def test_hundreds_of_columns_are_checked_as_one_table(tmp_path, monkeypatch):
    names = [f"n{place}" for place in range(checks.WIDE + 20)]
    described = ratings_entry({"max_psi": 0.25, "warn_only": ["max_psi"]}, numeric=names)

    def check(seed, moved, previous=None):
        random = np.random.default_rng(seed)
        numbers = pd.DataFrame(random.normal(size=(300, len(names))), columns=names)
        numbers[moved] += 9
        table = pd.concat([rows(300, seed)[["user", "item", "rating"]], numbers], axis=1)
        table.to_csv(tmp_path / "wide.csv", index=False)
        places = (tmp_path / "wide.csv", tmp_path / "wide.json", tmp_path / "docs")
        said = check_raw("wide", described, *places, previous)
        return said, json.loads(places[1].read_text(encoding="utf-8"))

    said, first = check(1, [])
    assert (said, first["success"]) == ([], True)
    assert first["checked"] < 12
    assert check(1, [], first["tally"])[0] == []
    (warning,), _ = check(2, ["n7", "n99"], first["tally"])
    assert "drift from the previous version (n7, n99)" in warning

    monkeypatch.setattr(checks, "used_columns", lambda _: ["user", "item", "rating", *names, "x"])
    kinds = {**checks._kinds(described), "n3": "str"}
    monkeypatch.setattr(checks, "_kinds", lambda _: kinds)
    with pytest.raises(DataError, match=r"types of raw columns \(n3\)"):
        check(1, [])


def test_neither_results_nor_pages_carry_an_id(gate, tmp_path):
    table = pd.concat([rows(), rows().tail(3)])
    table.iloc[-1, table.columns.get_loc("rating")] = 9
    with pytest.raises(DataError) as caught:
        gate(table, entry({"unique": ["user", "item", "rating"]}))

    files = list((tmp_path / "docs").rglob("*.html"))
    texts = [file.read_text(encoding="utf-8") for file in [*files, tmp_path / "raw.json"]]
    assert len(files) > 1
    for text in [*texts, str(caught.value)]:
        assert "person" not in text
        assert "artikel" not in text


@pytest.fixture
def prepared(tmp_path):
    rows().to_csv(tmp_path / "ratings.csv", index=False)
    settings = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
    split = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])
    prepare(entry(), split, settings, 1, tmp_path / "ratings.csv", tmp_path / "out")
    return tmp_path / "out"


def spoil_id(folder):
    table = pd.read_parquet(folder / "valid.parquet")
    table.loc[3, "user"] = 10_000
    table.astype({"user": "int32"}).to_parquet(folder / "valid.parquet")


def spoil_split(folder):
    test = pd.read_parquet(folder / "rows_test.parquet")
    test.loc[0, "__row__"] = pd.read_parquet(folder / "rows_train.parquet")["__row__"][7]
    test.to_parquet(folder / "rows_test.parquet")


def spoil_shares(folder):
    table = pq.read_table(folder / "test.parquet").to_pandas()
    table.loc[table["rating"] == 1, "rating"] = 3
    table.astype({"rating": "float32"}).to_parquet(folder / "test.parquet")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (None, None),
        (spoil_id, r"encoded columns \(user of valid\): .*_to_be_between of column above"),
        (spoil_split, "all splits: .* of column in_two_splits"),
        (spoil_shares, "label shares: .* of column excess"),
    ],
)
def test_splits_are_checked(prepared, tmp_path, spoil, said):
    places = (tmp_path / "splits.json", tmp_path / "docs")
    if spoil is None:
        assert check_splits("mine", entry(), prepared, *places) == []
        return
    spoil(prepared)

    with pytest.raises(DataError, match=said):
        check_splits("mine", entry(), prepared, *places)
