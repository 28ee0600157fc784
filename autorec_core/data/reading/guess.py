"""Reads the beginning of a new table and proposes its entry in params.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from autorec_core.data import spelled, values
from autorec_core.data.kinds import is_list_of_scalars, is_scalar
from autorec_core.data.reading.guessing.first_rows import FirstRows, read_first_rows
from autorec_core.data.reading.guessing.label import Label, label_of
from autorec_core.data.reading.guessing.roles import (
    Roles,
    Table,
    give_roles,
    is_time,
    list_of,
    numbers_in,
)
from autorec_core.data.reading.guessing.spelling import (
    Decimal,
    decimal_of_column,
    is_missing_word,
    missing_words,
)
from autorec_core.errors import DataError, listed

NO_LABEL = Label("", np.zeros(0), is_scale=False)
"""The label of a table whose rows are what users took."""
NEGATIVES = {"per_positive": 4, "by": "popularity"}
"""How a proposed entry samples items that a user did not take."""
NAMELESS = "(a column without a name)"
MAX_PSI = 0.25
"""Above this, a distribution counts as changed in credit scoring (Siddiqi, 2006)."""


@dataclass(frozen=True)
class Chosen:
    """The options that the user chose for a table. The others are guessed.

    Args:
        positive: The labels that count as 1.
        user: The column of users.
        item: The column of items.
        time: The column of times.
        categorical: Columns of categories.
        numeric: Columns of numbers.
        ignored: Columns not to learn from.
        header: Whether the first line of text names the columns.
        task: "ranking" if the rows are what users took; None to guess.
    """

    positive: Sequence[str] = ()
    user: str | None = None
    item: str | None = None
    time: str | None = None
    categorical: Sequence[str] = ()
    numeric: Sequence[str] = ()
    ignored: Sequence[str] = ()
    header: bool | None = None
    task: Literal["ranking"] | None = None


@dataclass(frozen=True)
class Proposal:
    """The proposed entry of a file.

    Args:
        entry: The entry as in params.yaml, but without its sources.
        notes: A line for each column: its role and why.
    """

    entry: dict[str, Any]
    notes: tuple[str, ...]


def propose(path: Path, label: str | None = None, chosen: Chosen | None = None) -> Proposal:
    """Proposes an entry for a CSV, TSV or Parquet file, or for several files of one kind.

    Only the first rows are read.

    Args:
        path: The file, a folder of Parquet files, or a pattern; text may be compressed.
        label: The column to predict; None to guess it by name and values.
        chosen: The options that the user chose.

    Raises:
        DataError: The file is not a table, no column can be the label, or a column cannot have the
            role that the user chose.
    """
    chosen = chosen or Chosen()
    first = read_first_rows(path, chosen.header)
    _check_chosen(path, first, label, chosen)
    raw = {name: values.plain(first.table[name]) for name in first.table.column_names}
    missing = missing_words(raw)
    columns = {name: spelled.without_missing(column, missing) for name, column in raw.items()}
    target, problem = _target(path, columns, label, chosen)
    if target.name in columns:
        missing += _missing_labels(columns[target.name], target)
    table = Table(
        columns, target.name, first.has_names, _declared(first.table), _decimal(columns, target)
    )
    roles = Roles()
    _take_chosen(path, table, chosen, roles)
    give_roles(table, roles)
    is_ranking = chosen.task == "ranking" or target is NO_LABEL
    lacking = [role for role in ("user", "item") if role not in roles.named]
    if is_ranking and lacking:
        if problem is not None:
            raise problem
        raise DataError(
            f"{path}: no column looks like the {lacking[0]} that ranking needs; name it with "
            f"--{lacking[0]}."
        )
    if not any(roles.of(role) for role in ("categorical", "multi_valued", "numeric")):
        raise DataError(
            f"{path} has no column to learn from except {target.name}: "
            + "; ".join(
                f"{name or 'the unnamed one'} is {why}" for name, why in roles.notes.items()
            )
            + ". Use --categorical or --numeric to choose columns."
        )
    return Proposal(
        _entry(path, first, table, target, roles, missing, is_ranking),
        _notes(first, table, target, roles, missing),
    )


def _target(
    path: Path, columns: dict[str, pa.Array], label: str | None, chosen: Chosen
) -> tuple[Label, DataError | None]:
    """Finds the label; rows without one may be interactions of users with items.

    Returns:
        The label or `NO_LABEL`, and the error to raise if the rows are no interactions.
    """
    if chosen.task == "ranking" and label is None:
        return NO_LABEL, None
    try:
        return label_of(path, columns, label, chosen.positive), None
    except DataError as error:
        if label is not None or chosen.positive:
            raise
        return NO_LABEL, error


def _check_chosen(path: Path, first: FirstRows, label: str | None, chosen: Chosen) -> None:
    """Checks that the columns that the user names exist, and that each has one role."""
    roles = [label, chosen.user, chosen.item, chosen.time]
    named = [name for name in roles if name is not None]
    others = [*chosen.categorical, *chosen.numeric, *chosen.ignored]
    for name in (*named, *others):
        if name not in first.table.column_names:
            shown = ", ".join(first.table.column_names)
            raise DataError(f"{path} has no column {name!r}; it has {shown}.")
    # A user or an item is also categorical, and a time may be categorical or ignored.
    twice = Counter([*named, *chosen.numeric, *set(chosen.ignored) - {chosen.time}])
    twice.update(set(chosen.categorical) - {chosen.user, chosen.item, chosen.time})
    if doubled := [name for name, count in twice.items() if count > 1]:
        raise DataError(f"{path}: the options name {listed(doubled)} for two roles.")


def _take_chosen(path: Path, table: Table, chosen: Chosen, roles: Roles) -> None:
    """Gives columns the roles that the user chose.

    Raises:
        DataError: A column cannot have its role.
    """
    for role in ("user", "item"):
        if (name := getattr(chosen, role)) is not None:
            _is_category(path, table, name)
            roles.named[role] = name
            roles.give(name, "categorical", f"the {role}, as you chose")
    for name in chosen.ignored:
        roles.give(name, "ignored", "as you chose")
    for name in chosen.numeric:
        if numbers_in(table, name) is None:
            raise DataError(f"{path}: {name} cannot be numeric; not all its values are numbers.")
        roles.give(name, "numeric", "as you chose")
    for name in chosen.categorical:
        if name in roles.columns:
            continue
        if is_list_of_scalars(table.columns[name].type) and (found := list_of(table.columns[name])):
            roles.lists[name] = found
            roles.give(name, "multi_valued", "a list of categories in each cell")
            continue
        _is_category(path, table, name)
        roles.give(name, "categorical", "as you chose")
    if chosen.time is not None:
        if not is_time(table.columns[chosen.time]):
            raise DataError(
                f"{path}: {chosen.time} cannot be the time; every row needs a number, an ISO date "
                "or an ISO time."
            )
        roles.named["time"] = chosen.time
        if chosen.time not in roles.columns:
            why = "the time, as you chose; only for `split.strategy: by_time`"
            roles.give(chosen.time, "ignored", why)


def _is_category(path: Path, table: Table, name: str) -> None:
    kind = table.columns[name].type
    if not is_scalar(kind):
        raise DataError(f"{path}: {name} cannot be a category; its type is {kind}.")


def _declared(table: pa.Table) -> frozenset[str]:
    """Returns the columns that are dictionaries, as pandas stores categories."""
    fields = table.schema
    return frozenset(one.name for one in fields if pa.types.is_dictionary(one.type))


def _decimal(columns: dict[str, pa.Array], label: Label) -> Decimal | None:
    """Returns the decimal sign of the label if it is a formatted number, or else the commonest."""
    is_number = label is not NO_LABEL and not label.positive
    if is_number and (mark := decimal_of_column(columns[label.name])):
        return mark
    found = Counter(mark for one in columns.values() if (mark := decimal_of_column(one)))
    return found.most_common(1)[0][0] if found else None


def _missing_labels(column: pa.Array, label: Label) -> list[str]:
    """Returns the words for "missing" among the words of a label."""
    if not label.positive or not pa.types.is_string(column.type):
        return []
    known = {*label.positive, *label.negative}
    found = column.drop_null().unique().to_pylist()
    return [word for word in found if word and word not in known and is_missing_word(word)]


def _entry(
    path: Path,
    first: FirstRows,
    table: Table,
    label: Label,
    roles: Roles,
    missing: Sequence[str],
    is_ranking: bool,
) -> dict[str, Any]:
    allowed = [0.0, 1.0] if label.is_click else label.found.tolist() if label.is_scale else None
    name = path.name or path.resolve().name
    return {
        "title": name,
        "task": "ranking" if is_ranking else "ctr" if label.is_click else "rating",
        "file": name,
        "sha256": None,
        "format": first.form,
        "label": None if label is NO_LABEL else label.name,
        **({"negatives": dict(NEGATIVES)} if is_ranking else {}),
        "categorical": roles.of("categorical"),
        "multi_valued": roles.lists,
        "numeric": roles.of("numeric"),
        "ignored": roles.of("ignored"),
        **{role: roles.named.get(role) for role in ("user", "item", "time")},
        "tables": {},
        "missing": list(missing),
        "positive": _one_or_more(label.positive),
        "negative": _one_or_more(label.negative),
        "decimal": table.decimal,
        "sample": None,
        "on_bad_rows": "quarantine" if first.bad_lines else "fail",
        "max_bad_rows": 1000,
        "facts": {
            "label_values": None if is_ranking else allowed,
            "label_mean": None,
            "min_rows": 1,
            "unique": [],
            "ranges": {},
            "max_psi": MAX_PSI,
            "warn_only": ["max_psi"],
        },
    }


def _one_or_more(found: Sequence[str]) -> list[str] | str:
    return found[0] if len(found) == 1 else list(found)


def _notes(
    first: FirstRows, table: Table, label: Label, roles: Roles, missing: Sequence[str]
) -> tuple[str, ...]:
    notes = list(first.notes)
    if not first.has_names:
        notes.append(
            "the first line is read as a row, so columns are numbered; choose their roles with "
            "--label, --user, --item, --time, --categorical, --numeric and --ignore, or use "
            "--header"
        )
    if missing:
        notes.append(f"{', '.join(missing)}: read as a missing value in any column")
    if table.decimal:
        notes.append(f"numbers are read with the decimal sign {table.decimal!r}")
    if label is NO_LABEL:
        notes.append("no label: each row is an item that a user took, and a model ranks the others")
    else:
        notes.append(f"{label.name}: {label.note}")
    for name, column in table.columns.items():
        if name in roles.notes:
            notes.append(f"{name or NAMELESS}: {roles.notes[name]}")
        elif name == label.name and column.null_count:
            notes.append(
                f"{name} is empty in {column.null_count:,} of {len(column):,} rows; "
                "`on_bad_rows: quarantine` sets rows without a label aside"
            )
    return tuple(notes)
