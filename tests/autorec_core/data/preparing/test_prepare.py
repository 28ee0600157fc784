"""Preparing is exact and reproducible, and its folder appears whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from autorec_core.config import PreprocessParams, SplitParams
from autorec_core.data.compute import LocalThreads
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import TableWriter, load_examples, load_rows, load_schema
from autorec_core.data.reading import raw as raw_module
from autorec_core.errors import DataError


def ratings_text(rows: int, seed: int = 0) -> str:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "user": random.integers(0, 40, rows),
            "item": random.integers(0, 300, rows),
            "rating": random.integers(1, 4, rows),
        }
    )
    return table.to_csv(index=False)


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(ratings_text(1000))
    return path


@pytest.fixture
def prepared(entry, split, preprocess, raw, tmp_path):
    prepare(entry(), split, preprocess, 1, raw, tmp_path / "out")
    return tmp_path / "out"


def test_every_raw_row_is_in_one_split(prepared, raw):
    rows = pd.concat([load_rows(prepared, part, numbered=True) for part in PARTS])
    file = pd.read_csv(raw, dtype={"user": str, "item": str})

    assert sorted(rows["__row__"]) == list(range(1, 1001))
    ordered = rows.sort_values("__row__").reset_index(drop=True)[["user", "item", "rating"]]
    pd.testing.assert_frame_equal(ordered, file.astype({"rating": "float64"}))


def test_shares_are_exact_within_each_label(prepared, raw):
    counts = pd.read_csv(raw)["rating"].value_counts()

    for part, share in zip(PARTS, (0.8, 0.1, 0.1), strict=True):
        found = load_rows(prepared, part)["rating"].value_counts()
        for label, count in counts.items():
            assert abs(found[label] - share * count) < 1


def test_encoding_at_training_and_at_scoring_is_the_same(prepared):
    preprocessor = Preprocessor.load(prepared)

    for part in PARTS:
        stored = load_examples(prepared, part)
        rows = load_rows(prepared, part)
        scored = preprocessor.encode(rows)
        one_by_one = [preprocessor.encode(rows.iloc[i : i + 1]) for i in range(20)]
        assert (scored.categorical == stored.categorical).all()
        assert (scored.label == stored.label).all()
        single = np.concatenate([one.categorical for one in one_by_one])
        assert (single == stored.categorical[:20]).all()


def test_encoded_types_are_small(prepared):
    types = {field.name: str(field.type) for field in pq.read_schema(prepared / "test.parquet")}

    assert types == {"user": "int32", "item": "int32", "rating": "float"}


def test_vocabularies_have_only_the_categories_of_train(prepared):
    train = set(load_rows(prepared, "train")["item"])
    test = load_rows(prepared, "test")
    unseen = ~test["item"].isin(train)
    ids = load_examples(prepared, "test").categorical[:, 1]

    assert load_schema(prepared).categorical[1].vocabulary_size == len(train) + 1
    assert unseen.any()
    assert ((ids == 0) == unseen).all()


def test_changing_test_rows_does_not_change_what_is_learned_from_train(
    entry, split, preprocess, raw, prepared, tmp_path
):
    places = load_rows(prepared, "test", numbered=True)["__row__"]
    lines = raw.read_text().splitlines()
    for place in places:
        user, _, rating = lines[place].split(",")
        lines[place] = f"{user},new,{rating}"
    raw.write_text("\n".join(lines) + "\n")
    prepare(entry(), split, preprocess, 1, raw, tmp_path / "other")

    for name in ("schema.json", "preprocessing.json", "vocabulary/1.parquet", "train.parquet"):
        assert (tmp_path / "other" / name).read_bytes() == (prepared / name).read_bytes()


def digests(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_files_do_not_depend_on_how_much_is_read_at_once(clicks, split, tmp_path, monkeypatch):
    preprocess = PreprocessParams(min_count=3, max_vocabulary=40, numeric="log", missing_flag=True)
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "click": random.integers(0, 2, 3000),
            "site": random.integers(0, 500, 3000),
            "device": [None if n % 5 == 0 else n for n in random.integers(0, 50, 3000)],
            "price": np.where(random.random(3000) < 0.2, np.nan, random.normal(size=3000)),
            "age": random.integers(0, 90, 3000),
        }
    )
    table.to_csv(tmp_path / "clicks.csv", index=False)
    found = []
    for block_bytes in (1 << 24, 999):
        monkeypatch.setattr(raw_module, "BLOCK_BYTES", block_bytes)
        out = tmp_path / f"out_{block_bytes}"
        prepare(clicks(), split, preprocess, 1, tmp_path / "clicks.csv", out)
        found.append(digests(out))

    assert found[0] == found[1]
    again = Preprocessor.load(out)
    for part in PARTS:
        stored, scored = load_examples(out, part), again.encode(load_rows(out, part))
        assert (stored.categorical == scored.categorical).all()
        assert (stored.numeric == scored.numeric).all()
    assert set(np.unique(load_examples(out, "test").categorical[:, 1])) >= {0, 1}


def test_the_profile_gives_figures_and_no_ids(prepared):
    profile = json.loads((prepared / "profile.json").read_text())
    text = json.dumps(profile["splits"]["train"]["top"])

    assert sum(profile["splits"][part]["rows"] for part in PARTS) == 1000
    assert profile["splits"]["train"]["unknown_rate"] == {"user": 0.0, "item": 0.0}
    assert profile["splits"]["test"]["unknown_rate"]["item"] > 0
    assert len(profile["splits"]["train"]["top"]["user"]) == 10
    assert not any(f'"{user}"' in text for user in range(40))


def test_a_sample_is_of_the_asked_size_with_the_labels_shares(
    entry, split, preprocess, raw, tmp_path
):
    prepare(entry(sample=100), split, preprocess, 1, raw, tmp_path / "out")
    rows = pd.concat([load_rows(tmp_path / "out", part) for part in PARTS])
    shares = pd.read_csv(raw)["rating"].value_counts() / 10

    assert len(rows) == 100
    assert (abs(rows["rating"].value_counts() - shares) < 1).all()


def test_by_time_test_is_after_train(entry, preprocess, tmp_path):
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"user": 1, "item": 2, "rating": [1, 2] * 50, "when": random.permutation(100)}
    )
    table.to_csv(tmp_path / "ratings.csv", index=False)
    by_time = SplitParams(strategy="by_time", ratios=[0.8, 0.1, 0.1])
    described = entry(time="when", ignored=["when"])
    prepare(described, by_time, preprocess, 1, tmp_path / "ratings.csv", tmp_path / "out")
    when = {part: load_rows(tmp_path / "out", part)["when"] for part in PARTS}

    assert when["train"].max() < when["valid"].min()
    assert sorted(when["test"]) == list(range(90, 100))


@pytest.mark.parametrize("name", ["__row__", "__occurrence__"])
def test_a_column_with_a_name_that_autorec_uses_is_refused(
    entry, split, preprocess, raw, tmp_path, name
):
    pd.read_csv(raw).rename(columns={"item": name}).to_csv(tmp_path / "named.csv", index=False)
    described = entry(categorical=["user", name], item=None)

    with pytest.raises(DataError, match=f"uses columns named {name}; rename them"):
        prepare(described, split, preprocess, 1, tmp_path / "named.csv", tmp_path / "out")


def test_bad_rows_are_set_aside_with_line_and_reason(entry, split, preprocess, raw, tmp_path):
    raw.write_text(raw.read_text() + "1,2\n1,2,7\n")
    profile = prepare(entry(on_bad_rows="quarantine"), split, preprocess, 1, raw, tmp_path / "out")
    bad = pd.read_csv(tmp_path / "out" / "bad_rows.csv")

    assert profile["bad_rows"] == 2
    assert bad["line"].tolist() == [1002, 1003]
    assert bad["reason"].str.contains("columns|rating is '7'").all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,rating\n" + "a,b,1\n" * 9, "rating is 1 in every row"),
        ("user,item,rating\n" + "a,b,1\n" * 9 + "a,b,2\n" * 2, "The label 2 has 2 rows"),
        ("user,item,rating\n" + "a,b,1\na,b,2\n" * 9 + "a,b\n", "line 20: 2 columns"),
    ],
)
def test_data_that_cannot_be_prepared_leave_the_last_good_splits(
    entry, split, preprocess, prepared, raw, text, message
):
    before = digests(prepared)
    raw.write_text(text)

    with pytest.raises(DataError, match=message):
        prepare(entry(), split, preprocess, 1, raw, prepared)

    assert digests(prepared) == before
    assert sorted(path.name for path in prepared.parent.iterdir()) == ["out", "ratings.csv"]


def test_a_column_that_is_always_empty_is_an_error(clicks, split, preprocess, tmp_path):
    text = "click,site,device,price,age\n" + "1,s,d,,2\n0,s,d,,3\n" * 9
    (tmp_path / "clicks.csv").write_text(text)

    with pytest.raises(DataError, match="the column price is empty in every row"):
        prepare(clicks(), split, preprocess, 1, tmp_path / "clicks.csv", tmp_path / "out")


def test_a_full_disk_is_an_error_and_leaves_the_last_good_splits(
    entry, split, preprocess, prepared, raw, monkeypatch
):
    before = digests(prepared)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(TableWriter, "_append", full)

    with pytest.raises(DataError, match=r"cannot be written: No space left on device"):
        prepare(entry(), split, preprocess, 2, raw, prepared)

    assert digests(prepared) == before


def test_a_missing_folder_of_splits_is_named(tmp_path):
    with pytest.raises(DataError, match="does not contain prepared data"):
        load_examples(tmp_path, "train")


class Blind(LocalThreads):
    """Workers that cannot access the driver's disk."""

    def can_access(self, folder, files):
        assert folder.is_dir()
        assert all(file.is_file() for file in files)
        return False

    def map(self, function, calls):
        raise AssertionError("nothing can be done there")


def test_if_workers_cannot_access_the_data_this_process_prepares_them(
    entry, split, preprocess, prepared, raw, tmp_path, caplog
):
    prepare(entry(), split, preprocess, 2, raw, tmp_path / "there", Blind())

    assert "Not all workers can access" in caplog.text
    prepare(entry(), split, preprocess, 2, raw, tmp_path / "here")
    assert digests(tmp_path / "there") == digests(tmp_path / "here")
