"""Checks the side tables of a data set, and joins those that are sound to the raw rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data.reading.side_tables import make_side_table, read_table, table_file
from autorec_core.data.reading.typed_columns import used_columns
from autorec_core.data.side_table import SideTable, join_all
from autorec_core.errors import DataError
from autorec_core.raw_config import TableParams
from flows.data_checks.expectations import Expectation, Validator


def check_tables(validating: Validator, entry: DatasetParams, raw: Path) -> dict[str, SideTable]:
    """Checks each side table: columns, types, ranges, and that each key is there and unique.

    Args:
        validating: The validator.
        entry: The data set's entry in params.yaml.
        raw: The data set's folder of raw files.

    Returns:
        The tables whose keys are sound, by name.

    Raises:
        DataError: A file is missing or malformed.
    """
    found = {}
    for name, table in entry.tables.items():
        rows = read_table(table, table_file(raw, name, table))
        validating.validate(f"table {name}", rows.to_pandas(), table_suite(entry, table))
        try:
            found[name] = make_side_table(table, rows)
        except DataError:
            continue  # the expectations on its key have failed
    return found


def table_suite(entry: DatasetParams, table: TableParams) -> list[Expectation]:
    """Returns the expectations on a side table."""
    facts = entry.facts
    text = {*table.key_only, *table.categorical, *table.multi_valued}
    kinds = {name: "str" if name in text else "float64" for name in used_columns(table)}
    suite = [
        Expectation("ExpectTableColumnsToMatchSet", {"column_set": list(kinds)}),
        Expectation("ExpectColumnValuesToNotBeNull", {"column": table.key}),
        Expectation("ExpectColumnValuesToBeUnique", {"column": table.key}),
    ]
    for name, kind in kinds.items():
        settings = {"column": name, "type_": kind}
        suite.append(Expectation("ExpectColumnValuesToBeOfType", settings))
    for name, (low, high) in facts.ranges.items():
        if name in table.features:
            between = {"column": name, "min_value": low, "max_value": high}
            warn = "ranges" in facts.warn_only
            suite.append(Expectation("ExpectColumnValuesToBeBetween", between, warn))
    return suite


def joined(tables: Mapping[str, SideTable], rows: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """Joins tables to raw rows, and counts the rows whose key is in each table."""
    matched = {
        name: int((table.find(rows[table.joins].combine_chunks()) < len(table)).sum())
        for name, table in tables.items()
    }
    return join_all(tables.values(), rows), Counter(matched)


def matched_column(entry: DatasetParams, name: str) -> str:
    """Returns the name of the figure that counts the rows whose key is in a table."""
    return f"rows whose {entry.tables[name].joins} is in the table {name}"
