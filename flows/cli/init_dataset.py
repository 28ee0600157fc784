"""Proposes an entry in params.yaml for a file, for `autorec init-dataset`."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from autorec_core.config import DatasetParams
from autorec_core.data.reading.guess import Chosen, propose
from autorec_core.errors import DataError
from flows.cli.params_file import PARAMS, add_dataset, entry_text

PLAIN = re.compile(r"(\.(csv|tsv|txt|dat|parquet|gz|bz2|xz|zst))+$")


def init_dataset(
    file: Path,
    name: str | None,
    label: str | None,
    *,
    write: bool,
    chosen: Chosen | None = None,
) -> None:
    """Reads a file and proposes its entry. Prints the entry or adds it to params.yaml.

    Args:
        file: A CSV, TSV or Parquet file, a folder of Parquet files, or a pattern for several files.
        name: Name of the data set; None for the name of the file.
        label: The column to predict; None to find it by its name or values.
        write: Whether to add the entry to params.yaml.
        chosen: The user's other choices about columns.

    Raises:
        DataError: The file is not a table, or no column can be the label.
        ConfigError: The name is taken, or params.yaml is not valid.
    """
    proposal = propose(file, label, chosen)
    dataset = name or _name(file)
    source = {"kind": "file", "path": file.as_posix()}
    head = ("title", "task", "file", "sha256")
    entry = {key: proposal.entry[key] for key in head}
    entry |= {"sources": [source]} | proposal.entry
    try:
        DatasetParams.model_validate(entry)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise DataError(f"{file}: no entry can be proposed: {why}.") from error
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if write:
        add_dataset(dataset, entry)
        for note in proposal.notes:
            console.print(f"  {note}")
        console.print(f"Added {dataset} to {PARAMS}. Check it, then run: autorec run {dataset}")
        return
    for note in proposal.notes:
        console.print(f"  # {note}")
    console.print(entry_text(dataset, entry), end="")
    console.print(f"# Add it to {PARAMS} with: {_command(file, dataset, label, chosen)}")


def _command(file: Path, name: str, label: str | None, chosen: Chosen | None) -> str:
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
    return shlex.join([*words, "--write"])


def _name(file: Path) -> str:
    """Makes a data set's name from its file's name: lower-case letters, digits, '-' and '_'."""
    stem = PLAIN.sub("", (file.name or file.resolve().name).lower())
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:64] or "my-table"
