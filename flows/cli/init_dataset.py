"""`autorec init-dataset`: from a file to its entry in params.yaml."""

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
    """Looks at a file and proposes its entry; prints it, or adds it to params.yaml.

    Args:
        file: A CSV, TSV or Parquet file, a folder of Parquet files, or a pattern for several.
        name: What to call the data set; after the file if `None`.
        label: The column to predict; found by its name or values if `None`.
        write: Whether the entry is added to params.yaml.
        chosen: What else the user says of the columns.

    Raises:
        DataError: The file is no table, or no column can be the label.
        ConfigError: The name is taken, or params.yaml is not right.
    """
    proposal = propose(file, label, chosen)
    called = name or _name(file)
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
        add_dataset(called, entry)
        for note in proposal.notes:
            console.print(f"  {note}")
        console.print(f"{called} stands in {PARAMS}; look it over, then: autorec run {called}")
        return
    for note in proposal.notes:
        console.print(f"  # {note}")
    console.print(entry_text(called, entry), end="")
    console.print(f"# Add it to {PARAMS} with: {_command(file, called, label, chosen)}")


def _command(file: Path, name: str, label: str | None, chosen: Chosen | None) -> str:
    """The command that adds what was proposed, with all that the user said of the columns."""
    words = ["autorec", "init-dataset", str(file), "--name", name]
    said = {"label": label, **(asdict(chosen) if chosen else {})}
    header = said.pop("header", None)
    for key, value in said.items():
        option = "--ignore" if key == "ignored" else f"--{key}"
        for one in [value] if isinstance(value, str) else value or ():
            words += [option, one]
    if header is not None:
        words.append("--header" if header else "--no-header")
    return shlex.join([*words, "--write"])


def _name(file: Path) -> str:
    """A data set's name after its file: small letters, digits, '-' and '_'."""
    stem = PLAIN.sub("", (file.name or file.resolve().name).lower())
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:64] or "my-table"
