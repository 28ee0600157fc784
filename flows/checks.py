"""Great Expectations on raw rows and on splits: suites written from the data set's entry.

The only file that imports Great Expectations. Results are kept as JSON without any raw value, and
as a Data Docs page; the first failed expectation is what stops the pipeline.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autorec_core.config import DatasetParams
from autorec_core.data.raw import read_raw, used_columns
from autorec_core.data.schema import Schema
from autorec_core.data.split import PARTS
from autorec_core.data.store import ROW_NUMBER, load_rows, load_schema
from autorec_core.errors import DataError
from autorec_core.files import whole_folder, write_json

# Counts, never the values themselves: results are stored and shown.
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


def check_raw(name: str, entry: DatasetParams, raw: Path, results: Path, docs: Path) -> None:
    """Checks the raw rows: schema, types, ranges, nulls, duplicates, size.

    Args:
        name: The data set's name.
        entry: Its entry in params.yaml.
        raw: The raw file.
        results: The JSON file to appear.
        docs: The folder of the Data Docs page to appear.

    Raises:
        DataError: The file is malformed, or an expectation failed.
    """
    from great_expectations import expectations as gxe

    rows = read_raw(entry, raw)
    facts = entry.facts
    columns = used_columns(entry)
    expectations: list[Any] = [
        gxe.ExpectTableColumnsToMatchSet(column_set=columns),
        gxe.ExpectTableRowCountToBeBetween(min_value=facts.min_rows),
        gxe.ExpectColumnValuesToNotBeNull(column=entry.label),
        gxe.ExpectColumnValuesToBeOfType(column=entry.label, type_="float64"),
    ]
    if facts.label_values is not None:
        expectations.append(
            gxe.ExpectColumnValuesToBeInSet(column=entry.label, value_set=facts.label_values)
        )
    for column in entry.categorical:
        expectations += [
            gxe.ExpectColumnValuesToBeOfType(column=column, type_="str"),
            gxe.ExpectColumnValueLengthsToBeBetween(column=column, max_value=10_000),
        ]
    for role in (entry.user, entry.item):
        if role is not None:
            expectations.append(gxe.ExpectColumnValueLengthsToBeBetween(column=role, min_value=1))
    for column in entry.numeric:
        expectations += [
            gxe.ExpectColumnValuesToBeOfType(column=column, type_="float64"),
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=-1e30, max_value=1e30),
        ]
    if facts.unique:
        expectations.append(gxe.ExpectCompoundColumnsToBeUnique(column_list=facts.unique))
    _validate(name, {"raw rows": (rows, expectations)}, results, docs)


def check_splits(
    name: str, entry: DatasetParams, prepared: Path, results: Path, docs: Path
) -> None:
    """Checks the splits: no row in two, labels in equal shares, ids inside their vocabularies.

    Args:
        name: The data set's name.
        entry: Its entry in params.yaml.
        prepared: The folder that `prepare` wrote.
        results: The JSON file to appear.
        docs: The folder of the Data Docs page to appear.

    Raises:
        DataError: A file is missing, or an expectation failed.
    """
    from great_expectations import expectations as gxe

    schema = load_schema(prepared)
    parts = {part: load_rows(prepared, part, numbered=True) for part in PARTS}
    together = pd.concat(parts.values(), ignore_index=True)
    tables: dict[str, tuple[pd.DataFrame, list[Any]]] = {
        "all splits": (
            together[[ROW_NUMBER, *entry.facts.unique]],
            [
                gxe.ExpectColumnValuesToBeUnique(column=ROW_NUMBER),
                *_unique(gxe, entry.facts.unique),
            ],
        ),
        "label shares": (
            _label_shares(parts, schema.label),
            [gxe.ExpectColumnValuesToBeBetween(column="excess", min_value=-1, max_value=1)],
        ),
    }
    for part in PARTS:
        tables[part] = (pd.read_parquet(prepared / f"{part}.parquet"), _encoded(gxe, schema))
    _validate(name, tables, results, docs)


def _unique(gxe: Any, columns: list[str]) -> list[Any]:
    return [gxe.ExpectCompoundColumnsToBeUnique(column_list=columns)] if columns else []


def _encoded(gxe: Any, schema: Schema) -> list[Any]:
    """What must hold of an encoded split."""
    expectations: list[Any] = [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToNotBeNull(column=schema.label),
        gxe.ExpectColumnValuesToBeOfType(column=schema.label, type_="float32"),
    ]
    for field in schema.categorical:
        expectations += [
            gxe.ExpectColumnValuesToBeOfType(column=field.name, type_="int32"),
            gxe.ExpectColumnValuesToBeBetween(
                column=field.name, min_value=0, max_value=field.vocabulary_size - 1
            ),
        ]
    for column in schema.numeric:
        expectations += [
            gxe.ExpectColumnValuesToNotBeNull(column=column),
            gxe.ExpectColumnValuesToBeOfType(column=column, type_="float32"),
        ]
    return expectations


def _label_shares(parts: Mapping[str, pd.DataFrame], label: str) -> pd.DataFrame:
    """For each split and label, how many rows it has beyond its share of that label's rows."""
    counts = pd.DataFrame({part: rows[label].value_counts() for part, rows in parts.items()})
    counts = counts.fillna(0)
    share = counts.sum() / counts.to_numpy().sum()
    excess = counts - np.outer(counts.sum(axis=1), share)
    # Rounding in every label adds up in a split's share; half a row a label is not a fault.
    slack = np.maximum(np.abs(excess) - 0.5 * len(counts) * share, 0) * np.sign(excess)
    return slack.reset_index(names="label").melt("label", var_name="split", value_name="excess")


def _validate(
    name: str,
    tables: Mapping[str, tuple[pd.DataFrame, Sequence[Any]]],
    results: Path,
    docs: Path,
) -> None:
    """Validates each table, writes results and pages, then raises the first failure."""
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    found: list[dict[str, Any]] = []
    with warnings.catch_warnings(), whole_folder(docs) as pages:
        warnings.simplefilter("ignore")
        context: Any = gx.get_context(mode="ephemeral")  # its own types know only what it returns
        context.variables.progress_bars = {"globally": False}
        for site in list(context.get_site_names()):
            context.delete_data_docs_site(site)
        context.add_data_docs_site("checks", _site(pages))
        source = context.data_sources.add_pandas(name)
        for title, (table, expectations) in tables.items():
            batch = source.add_dataframe_asset(title).add_batch_definition_whole_dataframe("whole")
            suite = context.suites.add(
                gx.ExpectationSuite(name=f"{name} {title}", expectations=list(expectations))
            )
            definition = context.validation_definitions.add(
                gx.ValidationDefinition(name=f"{name} {title}", data=batch, suite=suite)
            )
            checkpoint = gx.Checkpoint(
                name=f"{name} {title}",
                validation_definitions=[definition],
                actions=[UpdateDataDocsAction(name="pages", site_names=["checks"])],
                result_format=RESULT_FORMAT,
            )
            outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": table})
            for result in outcome.run_results.values():
                found += [_summary(title, one, len(table)) for one in result.results]
    failed = [one for one in found if not one["success"]]
    write_json(results, {"success": not failed, "checked": len(found), "expectations": found})
    if failed:
        raise DataError("\n".join(_sentence(name, one, docs) for one in failed))


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve()),
        },
    }


def _summary(table: str, result: Any, rows: int) -> dict[str, Any]:
    """One expectation's outcome without any value of the data."""
    settings = dict(result.expectation_config.kwargs)
    settings.pop("batch_id", None)
    column = settings.get("column") or ", ".join(settings.get("column_list") or [])
    exception = (result.exception_info or {}).get("exception_message")
    return {
        "table": table,
        "expectation": result.expectation_config.type,
        "column": column,
        "settings": {key: value for key, value in settings.items() if not key.startswith("column")},
        "success": bool(result.success),
        "rows": rows,
        "unexpected": int((result.result or {}).get("unexpected_count") or 0),
        "exception": exception,
    }


def _sentence(name: str, outcome: Mapping[str, Any], docs: Path) -> str:
    where = f" of column {outcome['column']}" if outcome["column"] else ""
    settings = ", ".join(f"{key} {value}" for key, value in outcome["settings"].items())
    count = f": {outcome['unexpected']:,} of {outcome['rows']:,} rows" if where else ""
    return (
        f"{name}, {outcome['table']}: {outcome['expectation']}{where} "
        f"({settings or 'no settings'}) failed{count}; see {docs / 'index.html'}."
    )
