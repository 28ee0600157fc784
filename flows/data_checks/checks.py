"""The data checks: suites written from a data set's entry, held against raw rows and splits.

Raw rows pass in chunks; what only all rows together can tell is counted meanwhile and checked at
the end. The first failed expectation that is not a warning is what stops the pipeline.
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
from autorec_core.data.compute import Here, ahead
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
from autorec_core.data.values import plain
from autorec_core.errors import DataError
from autorec_core.files import write_json
from flows.data_checks.encoded import FAULTS, encoded_columns, naming, title
from flows.data_checks.expectations import Expectation, Outcome, Validator, validator
from flows.data_checks.labels import label_notes, label_shares

CHUNK_ROWS = 500_000
WIDE = 200
"""Where columns are more, Great Expectations looks at all of them as one table: it takes long for
each expectation, and all the longer the more there are."""
EDGES_BYTES = 4 << 20
"""The rows in about so many bytes say where the bins of a column of numbers end."""


def check_raw(
    name: str,
    entry: DatasetParams,
    raw: Path,
    results: Path,
    docs: Path,
    previous: Mapping[str, Any] | None = None,
) -> list[str]:
    """Checks the raw rows: columns, types, ranges, gaps, duplicates, size, drift.

    Args:
        name: The data set's name.
        entry: Its entry in params.yaml.
        raw: The raw file.
        results: The JSON file to appear.
        docs: The folder of the Data Docs page to appear.
        previous: The tally of the previous version of the data, where there is one.

    Returns:
        A sentence for each warning.

    Raises:
        DataError: The file is malformed, or an expectation failed.
    """
    tally = RawTally(entry, previous)
    of_values = value_suite(entry)
    looked_at = list(dict.fromkeys(one.settings["column"] for one in of_values))
    rows: Counter[pa.Schema] = Counter()
    seen: list[pa.Schema] = []
    frames = _frames(entry, raw, tally, rows, looked_at)
    with ahead(frames) as next_frames, validator(name, docs) as validating:
        for frame in next_frames:
            validating.validate("raw rows", frame, of_values)
            for schema in [one for one in list(rows) if one not in seen]:
                seen.append(schema)
                _check_columns(validating, entry, schema, rows)
        found = tally.finish()
        _check_whole(validating, entry, found, previous)
    return _conclude(name, validating, results, docs, {"tally": found})


def check_splits(
    name: str, entry: DatasetParams, prepared: Path, results: Path, docs: Path
) -> list[str]:
    """Checks the splits: no row in two, labels in equal shares, ids inside their vocabularies.

    Labels that are too rare to be measured, and columns that give them away, are warned of.

    Args:
        name: The data set's name.
        entry: Its entry in params.yaml.
        prepared: The folder that `prepare` wrote.
        results: The JSON file to appear.
        docs: The folder of the Data Docs page to appear.

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
    """What must hold of the columns of raw rows, whatever stands in them.

    The types of more than `WIDE` columns are checked by `_wrong_types`, all at once.
    """
    kinds = _kinds(entry)
    named = Expectation("ExpectTableColumnsToMatchSet", {"column_set": list(kinds)})
    each = kinds if len(kinds) <= WIDE else {}
    return [named, *(_of_type(name, kind) for name, kind in each.items())]


def _kinds(entry: DatasetParams) -> dict[str, str]:
    """The types that the columns of raw rows must have."""
    text = {*entry.categorical, *entry.multi_valued, *entry.key_only}
    return {name: "str" if name in text else "float64" for name in used_columns(entry)}


def value_suite(entry: DatasetParams) -> list[Expectation]:
    """What must hold of each chunk of raw rows."""
    facts = entry.facts
    suite = [Expectation("ExpectColumnValuesToNotBeNull", {"column": entry.label})]
    if facts.label_values is not None:
        allowed = {"column": entry.label, "value_set": facts.label_values}
        suite.append(Expectation("ExpectColumnValuesToBeInSet", allowed))
    for role in (entry.user, entry.item):
        if role is not None:
            suite.append(Expectation("ExpectColumnValuesToNotBeNull", {"column": role}))
    for column, (low, high) in facts.ranges.items():
        suite.append(_between(column, low, high, warn="ranges" in facts.warn_only))
    return suite


def _frames(
    entry: DatasetParams,
    raw: Path,
    tally: RawTally,
    rows: Counter[pa.Schema],
    columns: Sequence[str],
) -> Generator[pd.DataFrame]:
    """Some columns of the raw rows, about `CHUNK_ROWS` at a time.

    Args:
        entry: The data set's entry in params.yaml.
        raw: The raw file.
        tally: Takes in all rows.
        rows: Takes in how many rows come with which columns.
        columns: The columns to be given.
    """
    # Where bad rows are set aside, a label that is not allowed makes a row bad.
    quarantine = entry.on_bad_rows == "quarantine"
    _learn_edges(entry, raw, tally, check_labels=quarantine)
    found = map_chunks(
        _counted,
        entry,
        raw,
        bad=bad_rows_of(entry),
        check_labels=quarantine,
        settings=lambda _: (entry, columns, tally.edges),
    )
    waiting: list[pa.Table] = []
    with closing(found):
        for table, schema, counted in found:
            tally.add(counted)
            rows[schema] += table.num_rows
            waiting.append(table)
            if sum(table.num_rows for table in waiting) >= CHUNK_ROWS:
                yield pa.concat_tables(waiting).to_pandas()
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting).to_pandas()


def _learn_edges(entry: DatasetParams, raw: Path, tally: RawTally, *, check_labels: bool) -> None:
    """Has the tally learn its edges from the first rows, and more while any column shows none."""
    chunks = read_chunks(
        entry,
        raw,
        bad=bad_rows_of(entry),
        check_labels=check_labels,
        block_bytes=EDGES_BYTES,
        compute=Here(1),
    )
    with closing(chunks):
        while not tally.has_edges and (chunk := next(chunks, None)) is not None:
            tally.learn(chunk.table)


def _counted(
    entry: DatasetParams,
    columns: Sequence[str],
    edges: Mapping[str, Sequence[float]],
    rows: RawRows,
) -> tuple[pa.Table, pa.Schema, Counted]:
    """The columns asked for, without dictionaries; the types of all; the rows' tally."""
    table = rows.table
    fields = [(one.name, getattr(one.type, "value_type", one.type)) for one in table.schema]
    looked_at = pa.table({name: plain(table[name]) for name in columns})
    return looked_at, pa.schema(fields), count(entry, edges, table)


def _check_columns(
    validating: Validator, entry: DatasetParams, schema: pa.Schema, rows: Counter[pa.Schema]
) -> None:
    """Checks the columns: an Arrow column has one type, so what holds of it holds of all rows."""
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
    """Checks what only all rows together can tell."""
    facts = entry.facts
    whole = pd.DataFrame([{key: tally[key] for key in ("rows", "label_mean", "duplicates")}])
    suite = [_between("rows", facts.min_rows, None, warn="min_rows" in facts.warn_only)]
    if facts.label_mean is not None:
        suite.append(
            _between("label_mean", *facts.label_mean, warn="label_mean" in facts.warn_only)
        )
    if facts.unique:
        suite.append(_between("duplicates", 0, 0, warn="unique" in facts.warn_only))
    validating.validate("whole data", whole, suite)
    if previous is not None and facts.max_psi is not None:
        _check_drift(validating, facts, drifts(previous, tally))


def _check_drift(validating: Validator, facts: Facts, drift: Mapping[str, Drift]) -> None:
    """Checks each column's drift: an expectation a column, or one for all where they are many."""
    warn = "max_psi" in facts.warn_only
    table = "drift against the previous version"
    beyond = {name: one.beyond_chance for name, one in drift.items()}
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
    """How many rows the splits have, and how many of them stand in two."""
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
    """Writes the results, raises what failed, returns what is only to be reported."""
    outcomes = validating.outcomes()
    errors, warnings = (
        [one for one in outcomes if not one.success and one.severity == severity]
        for severity in ("error", "warning")
    )
    content = {"success": not errors, "checked": len(outcomes), "warnings": len(warnings)}
    write_json(results, {**content, "expectations": [vars(one) for one in outcomes], **more})
    if errors:
        raise DataError("\n".join(_said(name, one, docs) for one in errors))
    notes = [f"{name}: {note}." for note in more.get("notes", ())]
    return [*(_said(name, one, docs) for one in warnings), *notes]


def _said(name: str, outcome: Outcome, docs: Path) -> str:
    return f"{name}, {outcome.sentence(docs)}."
