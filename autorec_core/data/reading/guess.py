"""Looks at a table that nobody has described yet and proposes its entry in params.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from autorec_core.data import spelled, values
from autorec_core.data.kinds import is_list_of_scalars, is_scalar
from autorec_core.data.reading.guessing.first_rows import Look, look_at
from autorec_core.data.reading.guessing.label import Label, label_of
from autorec_core.data.reading.guessing.roles import (
    MOST_CATEGORIES,
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

NAMELESS = "(a column without a name)"
MAX_PSI = 0.25
"""Above this, scoring practice calls a distribution changed (Siddiqi, 2006)."""


@dataclass(frozen=True)
class Chosen:
    """What the user says of a table; the rest is found out.

    Args:
        positive: The labels that count as 1.
        user: The column of users.
        item: The column of items.
        time: The column that says when.
        categorical: Columns of categories.
        numeric: Columns of numbers.
        ignored: Columns not to learn from.
        header: Whether the first line of text names the columns.
    """

    positive: Sequence[str] = ()
    user: str | None = None
    item: str | None = None
    time: str | None = None
    categorical: Sequence[str] = ()
    numeric: Sequence[str] = ()
    ignored: Sequence[str] = ()
    header: bool | None = None


@dataclass(frozen=True)
class Proposal:
    """What a look at a file came to.

    Args:
        entry: The proposed entry, without its sources, as params.yaml would hold it.
        notes: For each column a line on what it was taken for, and why.
    """

    entry: dict[str, Any]
    notes: tuple[str, ...]


def propose(path: Path, label: str | None = None, chosen: Chosen | None = None) -> Proposal:
    """Proposes an entry for a CSV, TSV or Parquet file, or several of one kind.

    Args:
        path: The file, a folder of Parquet files, or a pattern; compressed text is fine. Its
            beginning is looked at.
        label: The column to predict; by its name or values if `None`.
        chosen: What the user says of its columns.

    Raises:
        DataError: The file is no table, no column can be the label, or a column cannot be what
            the user says.
    """
    chosen = chosen or Chosen()
    look = look_at(path, chosen.header)
    _are_columns(path, look, label, chosen)
    raw = {name: values.plain(look.table[name]) for name in look.table.column_names}
    missing = missing_words(raw)
    columns = {name: spelled.without_missing(column, missing) for name, column in raw.items()}
    target = label_of(path, columns, label, chosen.positive)
    missing += _missing_labels(columns[target.name], target)
    table = Table(
        columns, target.name, look.has_names, _declared(look.table), _decimal(columns, target)
    )
    roles = Roles()
    _take_chosen(path, table, chosen, roles)
    give_roles(table, roles)
    if not any(roles.of(role) for role in ("categorical", "multi_valued", "numeric")):
        raise DataError(
            f"{path} has no column to learn from beside {target.name}: "
            + "; ".join(
                f"{name or 'the unnamed one'} is {why}" for name, why in roles.notes.items()
            )
            + ". Say otherwise with --categorical or --numeric."
        )
    return Proposal(
        _entry(path, look, table, target, roles, missing),
        _notes(look, table, target, roles, missing),
    )


def _are_columns(path: Path, look: Look, label: str | None, chosen: Chosen) -> None:
    """Sees that the user names columns that are there, and each for one purpose."""
    roles = [label, chosen.user, chosen.item, chosen.time]
    named = [name for name in roles if name is not None]
    others = [*chosen.categorical, *chosen.numeric, *chosen.ignored]
    for name in (*named, *others):
        if name not in look.table.column_names:
            shown = ", ".join(look.table.column_names)
            raise DataError(f"{path} has no column {name!r}; it has {shown}.")
    # A user or an item is a category as well, and a time may be a category or ignored.
    twice = Counter([*named, *chosen.numeric, *set(chosen.ignored) - {chosen.time}])
    twice.update(set(chosen.categorical) - {chosen.user, chosen.item, chosen.time})
    if doubled := [name for name, count in twice.items() if count > 1]:
        raise DataError(f"{path}: the options name {listed(doubled)} for two roles.")


def _take_chosen(path: Path, table: Table, chosen: Chosen, roles: Roles) -> None:
    """Gives columns the roles that the user says they have.

    Raises:
        DataError: A column cannot have its role.
    """
    for role in ("user", "item"):
        if (name := getattr(chosen, role)) is not None:
            _is_category(path, table, name)
            roles.named[role] = name
            roles.give(name, "categorical", f"the {role}, as you say")
    for name in chosen.ignored:
        roles.give(name, "ignored", "as you say")
    for name in chosen.numeric:
        if numbers_in(table, name) is None:
            raise DataError(f"{path}: {name} cannot be numeric; not all its values are numbers.")
        roles.give(name, "numeric", "as you say")
    for name in chosen.categorical:
        if name in roles.columns:
            continue
        if is_list_of_scalars(table.columns[name].type) and (found := list_of(table.columns[name])):
            roles.lists[name] = found
            roles.give(name, "multi_valued", "a list of categories in each cell")
            continue
        _is_category(path, table, name)
        roles.give(name, "categorical", "as you say")
    if chosen.time is not None:
        if not is_time(table.columns[chosen.time]):
            raise DataError(
                f"{path}: {chosen.time} cannot be the time; a number, an ISO date or an ISO time "
                "is needed in every row."
            )
        roles.named["time"] = chosen.time
        if chosen.time not in roles.columns:
            why = "the time, as you say; for `split.strategy: by_time`, not to learn from"
            roles.give(chosen.time, "ignored", why)


def _is_category(path: Path, table: Table, name: str) -> None:
    kind = table.columns[name].type
    if not is_scalar(kind):
        raise DataError(f"{path}: {name} cannot be a category; its type is {kind}.")


def _declared(table: pa.Table) -> frozenset[str]:
    """Columns that are dictionaries, which is how frames keep categories."""
    fields = table.schema
    return frozenset(one.name for one in fields if pa.types.is_dictionary(one.type))


def _decimal(columns: dict[str, pa.Array], label: Label) -> Decimal | None:
    """The decimal sign of the label, if it is a written number, or of most of such columns."""
    if not label.positive and (mark := decimal_of_column(columns[label.name])):
        return mark
    found = Counter(mark for one in columns.values() if (mark := decimal_of_column(one)))
    return found.most_common(1)[0][0] if found else None


def _missing_labels(column: pa.Array, label: Label) -> list[str]:
    """Words for "missing" between the words of a label."""
    if not label.positive or not pa.types.is_string(column.type):
        return []
    known = {*label.positive, *label.negative}
    found = column.drop_null().unique().to_pylist()
    return [word for word in found if word and word not in known and is_missing_word(word)]


def _entry(
    path: Path, look: Look, table: Table, label: Label, roles: Roles, missing: Sequence[str]
) -> dict[str, Any]:
    listed_labels = label.found.tolist() if len(label.found) <= MOST_CATEGORIES else None
    name = path.name or path.resolve().name
    return {
        "title": name,
        "task": "ctr" if label.is_click else "rating",
        "file": name,
        "sha256": None,
        "format": look.form,
        "label": label.name,
        "categorical": roles.of("categorical"),
        "multi_valued": roles.lists,
        "numeric": roles.of("numeric"),
        "ignored": roles.of("ignored"),
        **{role: roles.named.get(role) for role in ("user", "item", "time")},
        "missing": list(missing),
        "positive": _one_or_more(label.positive),
        "negative": _one_or_more(label.negative),
        "decimal": table.decimal,
        "sample": None,
        "on_bad_rows": "quarantine" if look.bad_lines else "fail",
        "max_bad_rows": 1000,
        "facts": {
            "label_values": [0.0, 1.0] if label.is_click else listed_labels,
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
    look: Look, table: Table, label: Label, roles: Roles, missing: Sequence[str]
) -> tuple[str, ...]:
    notes = list(look.notes)
    if not look.has_names:
        notes.append(
            "the first line is taken for a row, so columns are numbered; say which is which with "
            "--label, --user, --item, --time, --categorical, --numeric and --ignore, or --header"
        )
    if missing:
        notes.append(f"{', '.join(missing)}: taken for a missing value in any column")
    if table.decimal:
        notes.append(f"numbers are read as written with the decimal sign {table.decimal!r}")
    notes.append(f"{label.name}: {label.note}")
    for name, column in table.columns.items():
        if name in roles.notes:
            notes.append(f"{name or NAMELESS}: {roles.notes[name]}")
        elif name == label.name and column.null_count:
            notes.append(
                f"{name} is empty in {column.null_count:,} of {len(column):,} rows; "
                "`on_bad_rows: quarantine` puts rows without a label aside"
            )
    return tuple(notes)
