"""The data checks: builds suites from a data set's entry and checks raw rows and splits.

Raw rows are read in chunks. Figures of the whole data, such as the number of rows, are counted at
the same time and checked at the end. A failed expectation that is not a warning stops the pipeline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams, Facts
from autorec_core.data.compute import LocalThreads, run_ahead
from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import ROW_NUMBER, load_schema, read_tables
from autorec_core.data.preparing.tally import Counted, Drift, RawTally, count, drifts
from autorec_core.data.reading.raw import (
    RawRows,
    bad_rows_of,
    map_chunks,
    read_chunks,
)
from autorec_core.data.reading.typed_columns import used_columns
from autorec_core.data.side_table import SideTable, join_all
from autorec_core.data.values import plain
from autorec_core.errors import DataError
from autorec_core.files import write_json
from flows.data_checks.encoded import FAULTS, encoded_columns, naming, title
from flows.data_checks.expectations import Expectation, Outcome, Validator, validator
from flows.data_checks.labels import label_notes, label_shares
from flows.data_checks.tables import check_tables, joined, matched_column

CHUNK_ROWS = 500_000
WIDE = 200
"""With more columns than this, one expectation checks all columns as the rows of one table. Great
Expectations is slow per expectation, and slower the more expectations there are."""
EDGES_BYTES = 4 << 20
"""About this many bytes of rows are read to choose the bins of numeric columns."""


def check_raw(
    name: str,
    entry: DatasetParams,
    raw: Path,
    results: Path,
    docs: Path,
    previous: Mapping[str, Any] | None = None,
) -> list[str]:
    """Checks the raw rows: columns, types, ranges, missing values, duplicates, size, drift.

    Args:
        name: Name of the data set.
        entry: Its entry in params.yaml.
        raw: The raw file.
        results: The JSON file to write.
        docs: The folder to create for the Data Docs pages.
        previous: The tally of the previous version of the data, or None.

    Returns:
        A sentence for each warning.

    Raises:
        DataError: The file is malformed, or an expectation failed.
    """
    suite = value_suite(entry)
    checked = list(dict.fromkeys(expectation.settings["column"] for expectation in suite))
    rows: Counter[pa.Schema] = Counter()
    seen: list[pa.Schema] = []
    matched: Counter[str] = Counter()
    with validator(name, docs) as validating:
        tables = check_tables(validating, entry, raw.parent)
        sound = entry.model_copy(update={"tables": {key: entry.tables[key] for key in tables}})
        tally = RawTally(sound.joined, previous)
        frames = _frames(sound, tables, raw, tally, rows, matched, checked)
        with run_ahead(frames) as next_frames:
            for frame in next_frames:
                validating.validate("raw rows", frame, suite)
                for schema in [schema for schema in list(rows) if schema not in seen]:
                    seen.append(schema)
                    _check_columns(validating, entry, schema, rows)
        found = tally.finish()
        found["matched"] = {matched_column(entry, key): matched[key] for key in tables}
        _check_whole(validating, entry, found, previous)
    return _conclude(name, validating, results, docs, {"tally": found})


def check_splits(
    name: str, entry: DatasetParams, prepared: Path, results: Path, docs: Path
) -> list[str]:
    """Checks the splits: no row in two splits, equal shares of labels, ids in their vocabularies.

    Warns if a label is too rare for an AUC, or if a column predicts the label almost perfectly.

    Args:
        name: Name of the data set.
        entry: Its entry in params.yaml.
        prepared: The folder that `prepare` wrote.
        results: The JSON file to write.
        docs: The folder to create for the Data Docs pages.

    Returns:
        A sentence for each warning.

    Raises:
        DataError: A file is missing, or an expectation failed.
    """
    schema = load_schema(prepared)
    with validator(name, docs) as validating:
        validating.validate(
            "all splits", _row_numbers(prepared), [_between("in_two_splits", 0, 0), _filled("rows")]
        )
        if (shares := label_shares(prepared, schema.label)) is not None:
            validating.validate("label shares", shares, [_between("excess", -1, 1)])
        encoded = pd.concat([encoded_columns(prepared, part, schema) for part in PARTS])
        suite = [_filled("rows"), *(_between(fault, 0, 0) for fault in FAULTS)]
        validating.validate(title(encoded), encoded, suite)
    return _conclude(name, validating, results, docs, {"notes": label_notes(prepared, schema)})


def column_suite(entry: DatasetParams) -> list[Expectation]:
    """Returns the expectations on names and types of the raw columns.

    If there are more than `WIDE` columns, `_check_columns` checks the types of all at once.
    """
    kinds = _kinds(entry)
    named = Expectation("ExpectTableColumnsToMatchSet", {"column_set": list(kinds)})
    each = kinds if len(kinds) <= WIDE else {}
    return [named, *(_of_type(name, kind) for name, kind in each.items())]


def _kinds(entry: DatasetParams) -> dict[str, str]:
    """Returns the type that each column of the raw rows must have."""
    text = {*entry.categorical, *entry.multi_valued, *entry.key_only}
    return {name: "str" if name in text else "float64" for name in used_columns(entry)}


def value_suite(entry: DatasetParams) -> list[Expectation]:
    """Returns the expectations on the values in each chunk of raw rows."""
    facts = entry.facts
    suite = [Expectation("ExpectColumnValuesToNotBeNull", {"column": entry.label_name})]
    if facts.label_values is not None:
        allowed = {"column": entry.label_name, "value_set": facts.label_values}
        suite.append(Expectation("ExpectColumnValuesToBeInSet", allowed))
    for role in (entry.user, entry.item):
        if role is not None:
            suite.append(Expectation("ExpectColumnValuesToNotBeNull", {"column": role}))
    of_tables = {name for table in entry.tables.values() for name in table.features}
    for column, (low, high) in facts.ranges.items():
        if column in of_tables:
            continue
        suite.append(_between(column, low, high, warn="ranges" in facts.warn_only))
    return suite


def _frames(
    entry: DatasetParams,
    tables: Mapping[str, SideTable],
    raw: Path,
    tally: RawTally,
    rows: Counter[pa.Schema],
    matched: Counter[str],
    columns: Sequence[str],
) -> Generator[pd.DataFrame]:
    """Reads some columns of the raw rows, about `CHUNK_ROWS` rows at a time.

    Args:
        entry: The data set's entry in params.yaml.
        tables: Its side tables.
        raw: The raw file.
        tally: Counts all rows. Changed here.
        rows: Counts the rows with each schema. Changed here.
        matched: Counts the rows whose key is in each table. Changed here.
        columns: The columns to return.
    """
    # With quarantine, a row whose label is not allowed is a bad row.
    quarantine = entry.on_bad_rows == "quarantine"
    _learn_edges(entry, tables, raw, tally, check_labels=quarantine)
    found = map_chunks(
        _counted,
        entry,
        raw,
        bad=bad_rows_of(entry),
        check_labels=quarantine,
        settings=lambda _: (entry, tables, columns, tally.edges),
    )
    waiting: list[pa.Table] = []
    with closing(found):
        for table, schema, counted, in_tables in found:
            tally.add(counted)
            matched.update(in_tables)
            rows[schema] += table.num_rows
            waiting.append(table)
            if sum(table.num_rows for table in waiting) >= CHUNK_ROWS:
                yield pa.concat_tables(waiting).to_pandas()
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting).to_pandas()


def _learn_edges(
    entry: DatasetParams,
    tables: Mapping[str, SideTable],
    raw: Path,
    tally: RawTally,
    *,
    check_labels: bool,
) -> None:
    """Chooses the tally's bin edges from the first rows, or more if a column is empty in them."""
    chunks = read_chunks(
        entry,
        raw,
        bad=bad_rows_of(entry),
        check_labels=check_labels,
        block_bytes=EDGES_BYTES,
        compute=LocalThreads(1),
    )
    with closing(chunks):
        while not tally.has_edges and (chunk := next(chunks, None)) is not None:
            tally.learn(join_all(tables.values(), chunk.table))


def _counted(
    entry: DatasetParams,
    tables: Mapping[str, SideTable],
    columns: Sequence[str],
    edges: Mapping[str, Sequence[float]],
    rows: RawRows,
) -> tuple[pa.Table, pa.Schema, Counted, Counter[str]]:
    """Returns the given columns, the types of all columns, the tally, and the matched rows."""
    table = rows.table
    fields = [(field.name, getattr(field.type, "value_type", field.type)) for field in table.schema]
    chosen = pa.table({name: plain(table[name]) for name in columns})
    wide, matched = joined(tables, table)
    return chosen, pa.schema(fields), count(entry.joined, edges, wide), matched


def _check_columns(
    validating: Validator, entry: DatasetParams, schema: pa.Schema, rows: Counter[pa.Schema]
) -> None:
    """Checks names and types of the columns. An Arrow column has the same type in all rows."""
    empty = schema.empty_table().to_pandas()
    validating.validate("raw columns", empty, column_suite(entry), rows=lambda: rows[schema])
    if len(kinds := _kinds(entry)) > WIDE:
        types = {name: str(kind) for name, kind in empty.dtypes.items()}
        wrong = [int(name in types and types[name] != kind) for name, kind in kinds.items()]
        found = pd.DataFrame({"column": list(kinds), "wrong_type": wrong})
        suite = [_between("wrong_type", 0, 0)]
        validating.validate(
            naming("types of raw columns", found, found["wrong_type"] > 0), found, suite
        )


def _check_whole(
    validating: Validator,
    entry: DatasetParams,
    tally: Mapping[str, Any],
    previous: Mapping[str, Any] | None,
) -> None:
    """Checks figures of the whole data: rows, mean label, duplicates, drift."""
    facts = entry.facts
    matched = tally["matched"]
    figures = {key: tally[key] for key in ("rows", "label_mean", "duplicates")}
    whole = pd.DataFrame([{**figures, **matched}])
    suite = [_between("rows", facts.min_rows, None, warn="min_rows" in facts.warn_only)]
    if facts.label_mean is not None:
        suite.append(
            _between("label_mean", *facts.label_mean, warn="label_mean" in facts.warn_only)
        )
    if facts.unique:
        suite.append(_between("duplicates", 0, 0, warn="unique" in facts.warn_only))
    suite += [_filled(column) for column in matched]
    validating.validate("whole data", whole, suite)
    if previous is not None and facts.max_psi is not None:
        _check_drift(validating, facts, drifts(previous, tally))


def _check_drift(validating: Validator, facts: Facts, drift: Mapping[str, Drift]) -> None:
    """Checks each column's drift: one expectation per column, or one for all if there are many."""
    warn = "max_psi" in facts.warn_only
    table = "drift from the previous version"
    beyond = {name: value.beyond_chance for name, value in drift.items()}
    if len(beyond) <= WIDE:
        suite = [_between(column, None, facts.max_psi, warn=warn) for column in beyond]
        validating.validate(table, pd.DataFrame([beyond]), suite)
        return
    found = pd.DataFrame({"column": list(beyond), "drift": list(beyond.values())})
    suite = [_between("drift", None, facts.max_psi, warn=warn)]
    validating.validate(naming(table, found, found["drift"] > facts.max_psi), found, suite)


def _between(
    column: str, low: float | None, high: float | None, *, warn: bool = False
) -> Expectation:
    settings = {"column": column, "min_value": low, "max_value": high}
    kind = "ExpectColumnValuesToBeBetween"
    return Expectation(kind, {key: v for key, v in settings.items() if v is not None}, warn)


def _of_type(column: str, kind: str) -> Expectation:
    return Expectation("ExpectColumnValuesToBeOfType", {"column": column, "type_": kind})


def _filled(column: str) -> Expectation:
    return _between(column, 1, None)


def _row_numbers(prepared: Path) -> pd.DataFrame:
    """Counts the rows of the splits, and the rows that are in two splits."""
    numbers = [
        table[ROW_NUMBER].to_numpy()
        for part in PARTS
        for table in read_tables(prepared / f"rows_{part}.parquet", columns=[ROW_NUMBER])
    ]
    together = np.sort(np.concatenate(numbers))
    twice = int((together[1:] == together[:-1]).sum())
    return pd.DataFrame([{"rows": len(together), "in_two_splits": twice}])


def _conclude(
    name: str, validating: Validator, results: Path, docs: Path, more: Mapping[str, Any]
) -> list[str]:
    """Writes the results. Raises failed expectations as DataError, returns warnings."""
    outcomes = validating.outcomes()
    errors, warnings = (
        [result for result in outcomes if not result.success and result.severity == severity]
        for severity in ("error", "warning")
    )
    content = {"success": not errors, "checked": len(outcomes), "warnings": len(warnings)}
    write_json(results, {**content, "expectations": [vars(result) for result in outcomes], **more})
    if errors:
        raise DataError("\n".join(_sentence(name, error, docs) for error in errors))
    notes = [f"{name}: {note}." for note in more.get("notes", ())]
    return [*(_sentence(name, warning, docs) for warning in warnings), *notes]


def _sentence(name: str, outcome: Outcome, docs: Path) -> str:
    return f"{name}, {outcome.sentence(docs)}."
