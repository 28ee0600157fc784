"""Side tables: rows with ids alone are encoded as rows that hold all columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import side_tables as shop
from pydantic import ValidationError

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.data.reading.side_tables import read_side_tables
from autorec_core.data.side_table import SideTable
from autorec_core.errors import DataError


@pytest.fixture
def described(entry):
    return entry(tables=shop.TABLES)


@pytest.fixture
def prepared(described, split, preprocess, tmp_path):
    prepare(described, split, preprocess, 1, shop.write_raw(tmp_path / "raw"), tmp_path / "out")
    return tmp_path / "out"


def test_prepared_rows_are_those_of_a_file_joined_by_hand(
    entry, split, preprocess, prepared, tmp_path
):
    columns = [shop.USERS, shop.ITEMS]
    by_hand = entry(
        categorical=["user", "item", *(name for one in columns for name in one["categorical"])],
        multi_valued=shop.ITEMS["multi_valued"],
        numeric=[name for one in columns for name in one["numeric"]],
        ignored=["id"],
    )
    file = tmp_path / "wide" / "ratings.csv"
    file.parent.mkdir()
    shop.joined_by_hand().to_csv(file, index=False)
    prepare(by_hand, split, preprocess, 1, file, tmp_path / "wide" / "out")

    for part in PARTS:
        found, expected = (load_examples(at, part) for at in (prepared, tmp_path / "wide" / "out"))
        np.testing.assert_array_equal(found.categorical, expected.categorical)
        np.testing.assert_array_equal(found.numeric, expected.numeric)


@pytest.mark.parametrize("few", [True, False])
def test_rows_with_ids_alone_are_encoded_as_in_preparing(prepared, few):
    preprocessor = Preprocessor.load(prepared)
    assert preprocessor.schema.columns == ["user", "item"]
    rows, encoded = load_rows(prepared, "train"), load_examples(prepared, "train")
    assert not {"town", "age", "brand"} & set(rows.columns)
    count = 50 if few else len(rows)
    forms = rows.head(count).assign(
        user=lambda table: table["user"].astype(int), item=lambda table: table["item"] + ".0"
    )

    found = preprocessor.encode(forms[["item", "user"]])

    np.testing.assert_array_equal(found.categorical, encoded.categorical[:count])
    np.testing.assert_array_equal(found.numeric, encoded.numeric[:count])


def test_preparing_and_fitting_learn_the_same(described, preprocess, prepared, tmp_path):
    tables = read_side_tables(described, tmp_path / "raw")
    fitted = Preprocessor.fit(described, preprocess, load_rows(prepared, "train"), tables)

    loaded = Preprocessor.load(prepared)
    rows = pd.DataFrame({"user": ["3", "41", None], "item": ["54", "59", "x"]})
    assert fitted.schema == loaded.schema
    np.testing.assert_array_equal(fitted.encode(rows).numeric, loaded.encode(rows).numeric)
    np.testing.assert_array_equal(fitted.encode(rows).categorical, loaded.encode(rows).categorical)


def test_an_unknown_key_has_missing_facts_and_a_new_item_of_the_table_has_its_own(prepared):
    preprocessor = Preprocessor.load(prepared)
    schema, unknown = preprocessor.schema, UnknownIds({})
    found = preprocessor.encode(
        pd.DataFrame({"user": [41, None, 3], "item": [59, 999, 2]}), unknown
    )
    brand, item = schema.position("brand"), schema.position("item")

    assert found.categorical[:2, item].tolist() == [0, 0]
    known = preprocessor.vocabularies["brand"].lookup(["brand 4", "brand 2"])
    assert found.categorical[[0, 2], brand].tolist() == known.tolist()
    assert found.categorical[1, brand] == 0
    flag = schema.numeric.index("age missing")
    assert found.numeric[:, flag].tolist() == [1, 1, 0]
    assert unknown.shares["brand"] == pytest.approx(1 / 3)


def test_learned_rows_are_known_by_their_ids_whatever_the_tables_say(
    described, split, preprocess, prepared, tmp_path
):
    before = LearnedRows.of([prepared / "rows_train.parquet"])
    table = tmp_path / "raw" / "tables" / "users" / "users.csv"
    shop.users().assign(age="30").to_csv(table, index=False)
    prepare(described, split, preprocess, 1, tmp_path / "raw" / "ratings.csv", tmp_path / "again")

    _, learned = before.find_learned(load_rows(tmp_path / "again", "train"))
    assert learned.all()


def test_titles_are_for_people_and_are_saved_with_the_table(prepared):
    preprocessor = Preprocessor.load(prepared)
    items = preprocessor.tables["items"]
    wanted = pd.Series([7, 999])

    assert items.titles_of(pa.array(wanted)).to_pylist() == ["Thing 7", None]
    assert "name" not in preprocessor.schema.vocabulary_columns
    assert preprocessor.tables["users"].titles is None


def test_a_damaged_table_is_named(prepared):
    (prepared / "tables" / "users.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"users\.parquet is not a side table"):
        SideTable.load(prepared / "tables" / "users.parquet")


@pytest.mark.parametrize(
    ("users", "sentence"),
    [
        ("id,town,age,mail\n1,Ede,3,x\n1.0,Ede,4,x\n", "1 of 1 keys occur more than once in id"),
        ("id,town,age,mail\n,Ede,3,x\n2,Ede,4,x\n", "1 of 2 rows have no id"),
        ("id,town,mail\n1,Ede,x\n", r"users.csv lacks the columns age"),
        ("id,town,age,mail\n1,Ede,old,x\n", "line 2: age is 'old'; a finite number is expected"),
        ("id,town,age,mail\nu1,Ede,3,x\n", "no user of the rows is a key of the side table users"),
        (None, "users.csv cannot be read: no such file"),
    ],
)
def test_a_wrong_table_is_one_clear_sentence(
    described, split, preprocess, tmp_path, users, sentence
):
    raw = shop.write_raw(tmp_path / "raw")
    file = raw.parent / "tables" / "users" / "users.csv"
    file.unlink() if users is None else file.write_text(users)
    with pytest.raises(DataError, match=sentence):
        prepare(described, split, preprocess, 1, raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"joins": "town"}, "`tables.users` joins 'town', which is not among the categorical"),
        ({"categorical": ["rating"]}, "`tables.users` has the label 'rating': a side table must"),
        ({"categorical": ["item"]}, "and the rows both have a column 'item': rename it"),
        ({"categorical": ["brand"]}, "`tables.items` and `tables.users` both have a column"),
        ({"categorical": ["age"]}, "columns with two roles: age"),
        ({"categorical": ["id"]}, "columns with two roles: id"),
        ({"categorical": [], "numeric": []}, "none of `categorical`, `multi_valued`, `numeric`"),
        (
            {"format": {**shop.USERS["format"], "columns": ["town", "age", "mail"]}},
            "the key 'id' is not among the columns of `format`",
        ),
    ],
)
def test_a_wrong_entry_is_one_clear_sentence(entry, changes, sentence):
    with pytest.raises(ValidationError, match=sentence):
        entry(tables={"users": {**shop.USERS, **changes}, "items": shop.ITEMS})


def test_latin_1_files_are_read(entry, tmp_path):
    table = {**shop.USERS, "format": {**shop.USERS["format"], "encoding": "latin-1"}}
    described = entry(tables={"users": table})
    file = tmp_path / "tables" / "users" / "users.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes("id,town,age,mail\n1,Besançon,3,x\n".encode("latin-1"))
    found = read_side_tables(described, tmp_path)["users"]
    assert found.columns["town"].to_pylist() == ["Besançon"]
