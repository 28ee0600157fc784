"""Multi-valued columns, from file to ids."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.data.reading.raw import read_raw
from autorec_core.errors import DataError

GENRES = {"genres": {"separator": "|", "max_length": 2}}


@pytest.fixture
def fitted(entry, preprocess):
    cells = ["drama|comedy", "drama", None, "drama|comedy|war"]
    train = pd.DataFrame({"user": "u", "item": "i", "rating": [1.0, 2, 3, 1], "genres": cells})
    return Preprocessor.fit(entry(multi_valued=GENRES), preprocess, train)


def rows(cells, repeat=1):
    return pd.DataFrame({"user": "u", "item": "i", "genres": cells * repeat})


# missing 1, then by frequency: drama 2, comedy 3, war 4
CELLS = ["comedy|drama", "war|drama|comedy", "jazz|war", "||drama|", "", None]
IDS = [[3, 2], [4, 2], [0, 4], [2, 0], [1, 0], [1, 0]]


@pytest.mark.parametrize("repeat", [1, 100], ids=["few rows", "many rows"])
def test_lists_become_ids_and_what_is_too_long_is_cut(fitted, repeat):
    assert fitted.encode(rows(CELLS, repeat)).categorical[:, 2:].tolist() == IDS * repeat


def test_one_row_alone_is_encoded_as_among_others(fitted):
    alone = [fitted.encode(rows([cell])).categorical[0, 2:].tolist() for cell in CELLS]

    assert alone == IDS


def test_real_lists_are_the_same_as_text(fitted):
    cells = [cell.split("|") if cell is not None else None for cell in CELLS]

    assert fitted.encode(rows(cells)).categorical[:, 2:].tolist() == IDS


def test_lists_survive_saving(fitted, tmp_path):
    fitted.save(tmp_path)

    loaded = Preprocessor.load(tmp_path)

    assert loaded.schema == fitted.schema
    assert loaded.encode(rows(CELLS)).categorical[:, 2:].tolist() == IDS


def test_a_parquet_file_may_hold_lists(entry, tmp_path):
    table = pa.table(
        {
            "user": [1, 2, 3],
            "item": [1, 2, 3],
            "rating": [1, 2, 3],
            "genres": pa.array([["a", "b"], None, []]),
        }
    )
    pq.write_table(table, tmp_path / "ratings.parquet")
    described = entry(format={"kind": "parquet"}, multi_valued=GENRES)

    found = read_raw(described, tmp_path / "ratings.parquet")["genres"]

    assert found.tolist()[0] == "a|b"
    assert found.isna().tolist() == [False, True, True]


def test_splits_hold_the_ids_that_scoring_computes(entry, split, preprocess, tmp_path):
    random = np.random.default_rng(0)
    lines = [
        f"{random.integers(9)},{random.integers(9)},{random.integers(1, 4)},"
        + "|".join(f"g{g}" for g in random.integers(0, 5, random.integers(0, 4)))
        for _ in range(200)
    ]
    raw = tmp_path / "ratings.csv"
    raw.write_text("user,item,rating,genres\n" + "\n".join(lines) + "\n")
    profile = prepare(entry(multi_valued=GENRES), split, preprocess, 1, raw, tmp_path / "out")

    stored = load_examples(tmp_path / "out", "test").categorical
    again = Preprocessor.load(tmp_path / "out").encode(load_rows(tmp_path / "out", "test"))

    assert stored.shape == (20, 4)
    assert (again.categorical == stored).all()
    assert profile["splits"]["train"]["categories"]["genres"] == 6  # five and "missing"
    assert 1 < profile["splits"]["train"]["list_length"]["genres"] <= 2
    assert profile["splits"]["test"]["unknown_rate"]["genres"] == 0


def test_categories_in_lists_have_the_same_limit_of_length(entry, tmp_path):
    raw = tmp_path / "ratings.csv"
    fine = "|".join(["x" * 9_000] * 3)
    raw.write_text(f"user,item,rating,genres\na,x,1,{fine}\nb,y,2,a|{'x' * 10_001}\n")

    with pytest.raises(
        DataError, match=r"line 3: genres is .* at most 10,000 characters per categ"
    ):
        read_raw(entry(multi_valued=GENRES), raw)
