"""Proposes an entry in params.yaml for a file, for `autorec init-dataset`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from autorec_core.config import DatasetParams
from autorec_core.data.reading.guess import Chosen, propose
from autorec_core.data.reading.guess_table import propose_table
from autorec_core.data.schema import unused_name
from autorec_core.errors import DataError, listed
from flows.cli.params_file import PARAMS, add_dataset, entry_text

ROLES = ("user", "item")
PLAIN = re.compile(r"(\.(csv|tsv|txt|dat|parquet|gz|bz2|xz|zst))+$")


def init_dataset(
    file: Path,
    name: str | None,
    label: str | None,
    *,
    write: bool,
    chosen: Chosen | None = None,
    tables: Mapping[str, Path] | None = None,
) -> None:
    """Reads a file and proposes its entry. Prints the entry or adds it to params.yaml.

    Args:
        file: A CSV, TSV or Parquet file, a folder of Parquet files, or a pattern for several files.
        name: Name of the data set; None for the name of the file.
        label: The column to predict; None to find it by its name or values.
        write: Whether to add the entry to params.yaml.
        chosen: The user's other choices about columns.
        tables: The files of side tables, by the column that they describe; "user" and "item" also
            stand for the columns with these roles.

    Raises:
        DataError: A file is not a table, or no column can be the label or a table's key.
        ConfigError: The name is taken, or params.yaml is not valid.
    """
    proposal = propose(file, label, chosen)
    dataset = name or _name(file)
    source = {"kind": "file", "path": file.as_posix()}
    head = ("title", "task", "file", "sha256")
    entry = {key: proposal.entry[key] for key in head}
    entry |= {"sources": [source]} | proposal.entry
    tables = tables or {}
    notes = [*proposal.notes, *_add_tables(entry, tables)]
    try:
        DatasetParams.model_validate(entry)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise DataError(f"{file}: no entry can be proposed: {why}.") from error
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if write:
        add_dataset(dataset, entry)
        for note in notes:
            console.print(f"  {note}")
        console.print(f"Added {dataset} to {PARAMS}. Check it, then run: autorec run {dataset}")
        return
    for note in notes:
        console.print(f"  # {note}")
    console.print(entry_text(dataset, entry), end="")
    console.print(f"# Add it to {PARAMS} with: {_command(file, dataset, label, chosen, tables)}")


def _add_tables(entry: dict[str, Any], tables: Mapping[str, Path]) -> Iterator[str]:
    """Proposes side tables and adds them to an entry; yields a line for each column."""
    columns = [entry["label"], *entry["categorical"], *entry["multi_valued"]]
    columns += [*entry["numeric"], *entry["ignored"]]
    taken = dict.fromkeys(columns, "the main table")
    for column, file in tables.items():
        joins = entry.get(column) or column if column in ROLES else column
        if joins not in entry["categorical"]:
            raise DataError(
                f"{file} cannot be joined to {joins}, which is not a categorical column. "
                f"Categorical: {listed(entry['categorical'])}. Choose one with --table COLUMN=FILE."
            )
        called = unused_name(_name(file), entry["tables"])
        proposal = propose_table(file, joins, taken)
        entry["tables"][called] = proposal.entry
        taken |= dict.fromkeys(_features(proposal.entry), f"the table {called}")
        yield from (f"table {called}, {note}" for note in proposal.notes)


def _features(table: Mapping[str, Any]) -> list[str]:
    title = [] if table["title"] is None else [table["title"]]
    return [*table["categorical"], *table["multi_valued"], *table["numeric"], *title]


def _command(
    file: Path,
    name: str,
    label: str | None,
    chosen: Chosen | None,
    tables: Mapping[str, Path],
) -> str:
    """Returns the command that adds the proposed entry, with all options of the user."""
    words = ["autorec", "init-dataset", str(file), "--name", name]
    options = {"label": label, **(asdict(chosen) if chosen else {})}
    header = options.pop("header", None)
    for key, value in options.items():
        option = "--ignore" if key == "ignored" else f"--{key}"
        for text in [value] if isinstance(value, str) else value or ():
            words += [option, text]
    if header is not None:
        words.append("--header" if header else "--no-header")
    for column, table in tables.items():
        is_role = column in ROLES
        words += [f"--{column}s", str(table)] if is_role else ["--table", f"{column}={table}"]
    return shlex.join([*words, "--write"])


def _name(file: Path) -> str:
    """Makes a data set's name from its file's name: lower-case letters, digits, '-' and '_'."""
    stem = PLAIN.sub("", (file.name or file.resolve().name).lower())
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:64] or "my-table"
