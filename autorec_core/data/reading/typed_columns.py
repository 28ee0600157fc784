"""Converts the cells of a raw file to typed columns, and finds the rows that break a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.config import DatasetParams
from autorec_core.data import spelled, times, values
from autorec_core.data.kinds import is_moment
from autorec_core.data.reading.parquet import check_columns
from autorec_core.errors import DataError, listed
from autorec_core.raw_config import TableParams


def used_columns(entry: DatasetParams | TableParams) -> list[str]:
    """Returns the columns of rows that were read: label, features, time and keys."""
    label = entry.label_name if isinstance(entry, DatasetParams) else None
    names = [label, *entry.features, entry.time, *entry.key_only]
    return list(dict.fromkeys(name for name in names if name is not None))


def file_columns(entry: DatasetParams | TableParams) -> list[str]:
    """Returns the columns that are read from the file, and the one that says which rows count."""
    if not isinstance(entry, DatasetParams):
        return used_columns(entry)
    own = [name for name in used_columns(entry) if entry.label or name != entry.label_name]
    return list(dict.fromkeys([*own, *([entry.keep.column] if entry.keep else [])]))


def typed_columns(
    entry: DatasetParams | TableParams,
    file: Path,
    table: pa.Table,
    *,
    check_labels: bool,
    coded: bool,
    wanted: Sequence[str] | None = None,
) -> tuple[dict[str, pa.Array], list[tuple[np.ndarray, str, str]]]:
    """Converts columns to their types, and finds the rows that break a rule.

    Args:
        entry: The entry of the data set, or of a side table, in params.yaml.
        file: The file, for messages.
        table: The rows as they are in the file.
        check_labels: Whether a label is wrong if it is not allowed by the entry's facts.
        coded: Whether categorical columns become dictionaries.
        wanted: The columns to convert; None for all that are used.

    Returns:
        The typed columns, and for each rule which rows break it (bool, shape (rows,)), the column
        and the rule's text.

    Raises:
        DataError: A column is missing, or its type does not suit its role.
    """
    own = file_columns(entry) if wanted is None else wanted
    check_columns(file, own, table.column_names)
    wanted = used_columns(entry) if wanted is None else list(wanted)
    columns: dict[str, pa.Array] = {}
    if isinstance(entry, DatasetParams) and entry.label is None and entry.label_name in wanted:
        wanted = [name for name in wanted if name != entry.label_name]
        columns[entry.label_name] = pa.array(np.ones(table.num_rows))
    faults: list[tuple[np.ndarray, str, str]] = []
    categorical, keys = frozenset(entry.categorical), entry.key_only
    for name in wanted:
        raw = spelled.without_missing(values.plain(table[name]), entry.missing)
        if name in categorical or name in keys:
            read = values.coded if coded and name in categorical else values.categories
            columns[name] = _of_column(file, name, read, raw)
            limit = f"at most {values.LONGEST_CATEGORY:,} characters are allowed"
            faults.append((values.too_long(columns[name]), name, limit))
            required = name in (entry.user, entry.item)
        elif name in entry.multi_valued:
            separator = entry.multi_valued[name].separator
            columns[name] = _of_column(file, name, values.join_cells, raw, separator)
            limit = f"at most {values.LONGEST_CATEGORY:,} characters per category are allowed"
            faults.append((_too_long_inside(columns[name], separator), name, limit))
            required = False
        elif isinstance(entry, DatasetParams) and name == entry.label and entry.positive:
            found = spelled.label_numbers(raw, entry.positive, entry.negative)
            columns[name], wrong = found
            shown = listed([*entry.positive, *entry.negative])
            faults.append((wrong, name, f"one of {shown} is expected"))
            required = True
        else:
            if name == entry.label and is_moment(table[name].type):
                raise DataError(
                    f"{file}: {name} cannot be the label; its type is {table[name].type}, and a "
                    "number is expected."
                )
            if name == entry.time:
                read, rule = values.moments, times.EXPECTED
            else:
                read, rule = values.numbers, f"{_number(entry)} is expected"
                raw = spelled.plain_numbers(raw, entry.decimal)
            numbers, wrong = _of_column(file, name, read, raw)
            columns[name] = spelled.without_missing(numbers, entry.missing)
            faults.append((wrong, name, rule))
            if name == entry.label:
                faults.append((values.too_large(numbers), name, "at most 3.4e38 is allowed"))
            required = name in (entry.label, entry.time)
        if required and columns[name].null_count:
            empty = columns[name].is_null().to_numpy(zero_copy_only=False)
            faults.append((empty & ~faults[-1][0], name, "a value is expected"))
    if check_labels and isinstance(entry, DatasetParams) and (allowed := allowed_labels(entry)):
        known = columns[entry.label_name].is_valid().to_numpy(zero_copy_only=False)
        wrong = values.outside(columns[entry.label_name], allowed) & known
        shown = ", ".join(f"{value:g}" for value in allowed)
        faults.append((wrong, entry.label_name, f"allowed: {shown}"))
    if isinstance(entry, DatasetParams) and entry.task == "ranking" and entry.label in columns:
        weak = pc.fill_null(pc.less_equal(columns[entry.label_name], 0), False)
        mask = weak.to_numpy(zero_copy_only=False)
        faults.append((mask, entry.label_name, "a strength above 0 is expected"))
    return columns, faults


def _number(entry: DatasetParams | TableParams) -> str:
    return (
        f"a number with the decimal sign {entry.decimal!r}" if entry.decimal else "a finite number"
    )


def _of_column(file: Path, name: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """Calls `read` and adds the names of file and column to errors."""
    try:
        return read(*arguments)
    except DataError as error:
        raise DataError(f"{file}: {name}: {error}") from error


def _too_long_inside(cells: pa.Array, separator: str) -> np.ndarray:
    """Returns which cells hold a category that is too long, bool, shape (rows,)."""
    wrong = values.too_long(cells)
    if wrong.any():
        found, places = values.split_cells(cells, separator)
        wrong[:] = False
        wrong[places[values.too_long(found)]] = True
    return wrong


def kept_rows(entry: DatasetParams | TableParams, file: Path, table: pa.Table) -> np.ndarray | None:
    """Returns which rows an entry keeps, bool, shape (rows,); None for all.

    A row without a value in the column of `keep` is not kept.

    Raises:
        DataError: A value of the column is not a number.
    """
    if not isinstance(entry, DatasetParams) or entry.keep is None:
        return None
    name = entry.keep.column
    check_columns(file, [name], table.column_names)
    raw = spelled.without_missing(values.plain(table[name]), entry.missing)
    found, wrong = _of_column(file, name, values.numbers, spelled.plain_numbers(raw, entry.decimal))
    if wrong.any():
        value = table[name][int(wrong.argmax())].as_py()
        raise DataError(
            f"{file}: {name} is {value!r} in a row; `keep` needs {_number(entry)} in each row."
        )
    kept: np.ndarray = np.asarray(found.to_numpy(zero_copy_only=False)) >= entry.keep.at_least
    return kept


def allowed_labels(entry: DatasetParams) -> list[float] | None:
    """Returns the allowed labels: those of the entry's facts, or 0 and 1 for clicks."""
    if entry.facts.label_values is not None:
        return entry.facts.label_values
    return [0.0, 1.0] if entry.task == "ctr" else None
