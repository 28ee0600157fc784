"""Looks at a table that nobody has described yet and proposes its entry in params.yaml."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autorec_core.data import values
from autorec_core.data.reading.lines import read_blocks
from autorec_core.data.reading.raw import raw_files
from autorec_core.errors import DataError

LOOKED_AT = 4 << 20
SEPARATORS = ("\t", "::", ",", ";", "|")
INSIDE = ("|", ";", ",", " ")
MOST_CATEGORIES = 20
LONGEST_LIST = 20
UNIQUE_SHARE = 0.9
FEW_ROWS = 50
MAX_PSI = 0.25
"""Above this, scoring practice calls a distribution changed (Siddiqi, 2006)."""

_USER = r"(user|customer|client|member|visitor|reader|buyer|person|account)s?_?(id|no|key)?|uid"
_ITEM = (
    r"(item|movie|product|article|song|track|book|sku|video|show|game|recipe|business|ad)s?"
    r"_?(id|no|key)?|iid|asin"
)
_LABEL = (
    r"rating|stars|score|overall|label|target|y|(is_?)?click(ed)?|(is_?)?like[ds]?"
    r"|(is_?)?(converted|conversion|purchased?|bought)"
)
_TIME = r".*(time|date|created|when).*|ts"
_CODE = r".*(id|code|type|kind|category|class|zip|key|no)"


@dataclass(frozen=True)
class Proposal:
    """What a look at a file came to.

    Args:
        entry: The proposed entry, without its sources, as params.yaml would hold it.
        notes: For each column a line on what it was taken for, and why.
    """

    entry: dict[str, Any]
    notes: tuple[str, ...]


def propose(path: Path, label: str | None = None) -> Proposal:
    """Proposes an entry for a CSV, TSV or Parquet file, or several of one kind.

    Args:
        path: The file, or a pattern; compressed text is fine. Its beginning is looked at.
        label: The column to predict; by its name or values if `None`.

    Raises:
        DataError: The file is no table, or no column can be the label.
    """
    file = raw_files(path)[0]
    form, table = _parquet(file) if _is_parquet(file) else _text(file)
    if label is not None and label not in table.column_names:
        raise DataError(f"{file} has no column {label!r}; it has {', '.join(table.column_names)}.")
    name = label or _label(file, table)
    labels = _numbers(table[name])
    if labels is None or not len(labels):
        raise DataError(f"{file}: {name} cannot be the label; a label is a number in every row.")
    found = np.unique(labels)
    clicks = set(found.tolist()) <= {0.0, 1.0}
    roles = _roles(table, name)
    listed = found.tolist() if len(found) <= MOST_CATEGORIES else None
    entry: dict[str, Any] = {
        "title": path.name,
        "task": "ctr" if clicks else "rating",
        "file": path.name,
        "sha256": None,
        "format": form,
        "label": name,
        "categorical": roles.of("categorical"),
        "multi_valued": roles.lists,
        "numeric": roles.of("numeric"),
        "ignored": roles.of("ignored"),
        **{role: roles.named.get(role) for role in ("user", "item", "time")},
        "sample": None,
        "on_bad_rows": "fail",
        "max_bad_rows": 1000,
        "facts": {
            "label_values": [0.0, 1.0] if clicks else listed,
            "label_mean": None,
            "min_rows": 1,
            "unique": [],
            "ranges": {},
            "max_psi": MAX_PSI,
            "warn_only": ["max_psi"],
        },
    }
    return Proposal(entry, (f"{name}: the label", *roles.notes))


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"


def _parquet(file: Path) -> tuple[dict[str, Any], pa.Table]:
    try:
        with pq.ParquetFile(file) as opened:
            batch = next(opened.iter_batches(batch_size=1 << 16), None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is not a whole Parquet file: {error}.") from error
    if batch is None:
        raise DataError(f"{file} has no rows.")
    return {"kind": "parquet"}, pa.table(batch)


def _text(file: Path) -> tuple[dict[str, Any], pa.Table]:
    content = next(iter(read_blocks(file, LOOKED_AT))).content
    try:
        lines = [line for line in content.decode("utf-8").split("\n")[:-1] if line]
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text and no Parquet file.") from error
    separator, quoted = _separator(file, lines)
    rows = [_fields(line, separator, quoted) for line in lines]
    rows = [row for row in rows if len(row) == len(rows[0])]
    header = _has_header(rows)
    names = rows[0] if header else [f"column_{place}" for place in range(1, len(rows[0]) + 1)]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise DataError(f"{file}, line 1: the header names {', '.join(sorted(doubled))} twice.")
    body = rows[1:] if header else rows
    if not body:
        raise DataError(f"{file} has no row below its header.")
    columns = {
        name: pa.array([row[place] for row in body], pa.string())
        for place, name in enumerate(names)
    }
    form = {
        "kind": "delimited",
        "separator": separator,
        "header": header,
        "quoted": quoted,
        "columns": names,
    }
    return form, pa.table(columns)


def _fields(line: str, separator: str, quoted: bool) -> list[str]:
    if quoted and len(separator) == 1:
        return next(csv.reader([line], delimiter=separator), [])
    return line.split(separator)


def _separator(file: Path, lines: Sequence[str]) -> tuple[str, bool]:
    """What stands between columns, and whether fields are quoted: as many columns in all lines."""
    first = lines[:200]
    quoted = any(line.startswith('"') or f'{sign}"' in line for line in first for sign in ",;\t|")
    best = ("", 1)
    for separator in SEPARATORS:
        counts = [len(_fields(line, separator, quoted)) for line in first]
        if counts and min(counts) == max(counts) > best[1]:
            best = (separator, counts[0])
    if not best[0]:
        shown = ", ".join(repr(one) for one in SEPARATORS)
        raise DataError(
            f"{file} is no table: none of {shown} divides its first lines into equally many "
            "columns."
        )
    return best[0], quoted and len(best[0]) == 1


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Names are no numbers, and do not occur again below."""
    head, body = rows[0], rows[1:]
    if any(re.match(values.NUMBER, name) or not name for name in head):
        return False
    return not any(row[place] == name for row in body for place, name in enumerate(head))


def _numbers(column: pa.ChunkedArray) -> np.ndarray | None:
    """A column's numbers, without gaps; None where something is no number."""
    plain = values.plain(column)
    if pa.types.is_nested(plain.type):
        return None
    found, wrong = values.numbers(plain)
    return None if wrong.any() else found.drop_null().to_numpy(zero_copy_only=False)


def _label(file: Path, table: pa.Table) -> str:
    for name in table.column_names:
        if re.fullmatch(_LABEL, name.lower()) and _numbers(table[name]) is not None:
            return name
    for name in (table.column_names[-1], table.column_names[0]):
        found = _numbers(table[name])
        if found is not None and set(np.unique(found).tolist()) == {0.0, 1.0}:
            return name
    raise DataError(
        f"{file}: no column looks like a label; name one of {', '.join(table.column_names)} "
        "with --label."
    )


class _Roles:
    """What each column was taken for."""

    def __init__(self) -> None:
        self.columns: dict[str, str] = {}
        self.lists: dict[str, dict[str, Any]] = {}
        self.named: dict[str, str] = {}
        self.notes: list[str] = []

    def give(self, name: str, role: str, why: str) -> None:
        self.columns[name] = role
        self.notes.append(f"{name}: {why}")

    def of(self, role: str) -> list[str]:
        return [name for name, given in self.columns.items() if given == role]


def _roles(table: pa.Table, label: str) -> _Roles:
    roles = _Roles()
    for name in table.column_names:
        if name != label:
            _one_role(roles, name, values.plain(table[name]))
    return roles


def _one_role(roles: _Roles, name: str, column: pa.Array) -> None:
    lower = name.lower()
    for role, pattern in (("user", _USER), ("item", _ITEM)):
        if role not in roles.named and re.fullmatch(pattern, lower):
            roles.named[role] = name
            roles.give(name, "categorical", f"the {role}, by its name")
            return
    if (separator := _inner_separator(column)) and not _is_time(column.drop_null()):
        found, cells = values.several(values.joined(column, separator), separator)
        longest = int(np.bincount(cells).max()) if len(found) else 1
        length = min(longest, LONGEST_LIST)
        roles.lists[name] = {"separator": separator, "max_length": length}
        roles.give(name, "multi_valued", f"several categories a cell, apart by {separator!r}")
        return
    text = values.categories(column)
    known = text.drop_null()
    distinct = len(known.unique())
    if distinct < 2:
        roles.give(name, "ignored", "empty, or the same value in every row")
    elif "time" not in roles.named and re.fullmatch(_TIME, lower) and _is_time(column):
        roles.named["time"] = name
        roles.give(name, "ignored", "the time; for `split.strategy: by_time`, not to learn from")
    elif _is_number(column, text, lower, distinct):
        roles.give(name, "numeric", f"numbers, {distinct:,} of them different")
    elif len(known) >= FEW_ROWS and distinct > UNIQUE_SHARE * len(known):
        roles.give(name, "ignored", "almost every row has a value of its own")
    else:
        roles.give(name, "categorical", f"{distinct:,} categories")


def _is_time(column: pa.Array) -> bool:
    if pa.types.is_nested(column.type):
        return False
    found, wrong = values.moments(column)
    return not wrong.any() and not found.null_count


def _is_number(column: pa.Array, text: pa.Array, name: str, distinct: int) -> bool:
    """Whether a column counts or measures, rather than naming things by numbers."""
    if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
        return False
    found, wrong = values.numbers(column)
    if wrong.any() or pc.any(pc.match_substring_regex(text, r"^0\d")).as_py():
        return False
    known = found.drop_null().to_numpy(zero_copy_only=False)
    if (known != np.floor(known)).any():
        return True
    return distinct > MOST_CATEGORIES and not re.fullmatch(_CODE, name)


def _inner_separator(column: pa.Array) -> str | None:
    """What stands between the categories of a cell, where cells hold several."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return "|"
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if not is_text or not values.numbers(column)[1].any():
        return None
    known = values.categories(column).drop_null()
    for separator in INSIDE:
        holding = pc.sum(pc.match_substring(known, separator)).as_py() or 0
        if holding < 0.2 * len(known):
            continue
        found, _ = values.several(known, separator)
        # Titles have spaces too; the categories of a list come again and again in other rows.
        if len(found.unique()) <= min(0.5 * len(known.unique()), 0.1 * len(found)):
            return separator
    return None
