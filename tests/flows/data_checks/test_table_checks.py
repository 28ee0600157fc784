"""Great Expectations checks the side tables with the raw rows."""

from __future__ import annotations

import json

import pytest
import side_tables as shop
from entries import ratings_entry

from autorec_core.errors import DataError
from flows.data_checks.checks import check_raw


@pytest.fixture
def check(tmp_path):
    """Checks the shop, with another table of users if there is one."""
    raw = shop.write_raw(tmp_path / "raw")
    facts = {"ranges": {"age": [0.0, 120.0]}, "max_psi": 0.25, "warn_only": ["max_psi"]}

    def run(users=None, previous=None):
        if users is not None:
            users.to_csv(raw.parent / "tables" / "users" / "users.csv", index=False)
        described = ratings_entry(facts, tables=shop.TABLES)
        results = tmp_path / "raw.json"
        warnings = check_raw("shop", described, raw, results, tmp_path / "docs", previous)
        return warnings, json.loads(results.read_text())

    return run


def test_sound_tables_pass_and_the_rows_with_a_key_are_counted(check):
    warnings, results = check()

    known = int((shop.ratings()["user"] < 40).sum())
    assert warnings == []
    assert results["tally"]["matched"]["rows whose user is in the table users"] == known
    checked = {(one["expectation"], one["column"]) for one in results["expectations"]}
    assert ("expect_column_values_to_be_unique", "id") in checked
    assert ("expect_column_values_to_be_between", "age") in checked
    assert "Ede" not in json.dumps(results)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": [7] * 40}, "table users: expect_column_values_to_be_unique of column id"),
        ({"id": [None, *range(39)]}, "table users: expect_column_values_to_not_be_null of column"),
        ({"age": [150] * 40}, "table users: expect_column_values_to_be_between of column age"),
        ({"id": range(900, 940)}, "column rows whose user is in the table users (min_value 1"),
    ],
)
def test_a_wrong_table_stops_the_run(check, changed, said):
    with pytest.raises(DataError) as error:
        check(shop.users().assign(**changed))
    assert said in str(error.value)


def test_a_table_that_has_changed_much_is_a_drift_of_its_columns(check):
    _, before = check()
    warnings, _ = check(shop.users().assign(town="Ede"), before["tally"])
    assert any("drift from the previous version" in one and "town" in one for one in warnings)
