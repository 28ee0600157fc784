"""Reads the beginning of a side table and proposes its entry in params.yaml."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import spelled, values
from autorec_core.data.kinds import is_scalar
from autorec_core.data.reading.guess import Proposal
from autorec_core.data.reading.guessing.first_rows import read_first_rows
from autorec_core.data.reading.guessing.roles import Roles, Table, give_roles, simple
from autorec_core.data.reading.guessing.spelling import decimal_of_column, missing_words
from autorec_core.errors import DataError

_KEY = r"id|key|.*_(id|key)"
_TITLE = r"(.*_)?(title|name|label)"
_TITLE_SHARE = 0.5
"""The least share of different texts in a column of titles."""


def propose_table(path: Path, joins: str, taken: Mapping[str, str]) -> Proposal:
    """Proposes an entry for a side table, from the first rows of its file.

    Args:
        path: A CSV, TSV or Parquet file.
        joins: The column of the rows whose values the table describes.
        taken: The columns of the rows and of other tables, each with the place where it is. A
            column with such a name is ignored.

    Raises:
        DataError: The file is not a table, or no column can be the key.
    """
    first = read_first_rows(path)
    raw = {name: values.plain(first.table[name]) for name in first.table.column_names}
    missing = missing_words(raw)
    columns = {name: spelled.without_missing(column, missing) for name, column in raw.items()}
    key = _key(path, columns, joins)
    marks = [mark for one in columns.values() if (mark := decimal_of_column(one))]
    table = Table(columns, key, first.has_names, frozenset(), marks[0] if marks else None)
    roles = Roles()
    roles.named = dict.fromkeys(("user", "item", "time"), "")  # these roles are of the rows
    for name in columns:
        if name in taken and name != key:
            roles.give(name, "ignored", f"{taken[name]} has a column of this name")
    title = _title(columns, {key, *roles.columns})
    if title is not None:
        roles.give(title, "title", "a name for people; no model reads it")
    give_roles(table, roles)
    entry: dict[str, Any] = {
        "joins": joins,
        "key": key,
        "file": path.name,
        "sha256": None,
        "sources": [{"kind": "file", "path": path.as_posix()}],
        "format": first.form,
        "categorical": roles.of("categorical"),
        "multi_valued": roles.lists,
        "numeric": roles.of("numeric"),
        "ignored": roles.of("ignored"),
        "title": title,
    }
    if missing:
        entry["missing"] = list(missing)
    if table.decimal:
        entry["decimal"] = table.decimal
    notes = [f"{key}: the key, joined to {joins}"]
    notes += [f"{name}: {roles.notes[name]}" for name in columns if name in roles.notes]
    return Proposal(entry, (*first.notes, *notes))


def _key(path: Path, columns: Mapping[str, pa.Array], joins: str) -> str:
    """Returns the column of keys: by the name of the joined column, or else by its name alone."""
    unique = [name for name, column in columns.items() if _is_key(column)]
    if joins in columns and joins not in unique:
        raise DataError(
            f"{path}: {joins} cannot be the key of a side table; every row needs a value, and each "
            "value must occur once."
        )
    likely = [name for name in unique if re.fullmatch(_KEY, simple(name))]
    found = next(iter([*(name for name in unique if name == joins), *likely, *unique[:1]]), None)
    if found is None:
        raise DataError(
            f"{path} has no column that can be the key for {joins}: a column is needed with a "
            f"different value in every row. It has: {', '.join(columns)}."
        )
    return found


def _is_key(column: pa.Array) -> bool:
    if not is_scalar(column.type):
        return False
    if pa.types.is_floating(column.type) and not pc.all(pc.equal(pc.floor(column), column)).as_py():
        return False
    found = values.categories(column)
    return not found.null_count and len(found.unique()) == len(found)


def _title(columns: Mapping[str, pa.Array], taken: Collection[str]) -> str | None:
    """Returns the first column that is named like a title and has mostly different texts."""
    for name, column in columns.items():
        if name not in taken and re.fullmatch(_TITLE, simple(name)):
            known = column.drop_null()
            is_text = pa.types.is_string(column.type)
            if is_text and len(known) and len(known.unique()) >= _TITLE_SHARE * len(known):
                return name
    return None
