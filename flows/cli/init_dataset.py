"""`autorec init-dataset`: from a file to its entry in params.yaml."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from rich.console import Console

from autorec_core.config import DatasetParams
from autorec_core.data.reading.guess import propose
from flows.cli.params_file import PARAMS, add_dataset, entry_text

PLAIN = re.compile(r"(\.(csv|tsv|txt|dat|parquet|gz|bz2|xz|zst))+$")


def init_dataset(file: Path, name: str | None, label: str | None, *, write: bool) -> None:
    """Looks at a file and proposes its entry; prints it, or adds it to params.yaml.

    Args:
        file: A CSV, TSV or Parquet file, or a pattern for several.
        name: What to call the data set; after the file if `None`.
        label: The column to predict; found by its name or values if `None`.
        write: Whether the entry is added to params.yaml.

    Raises:
        DataError: The file is no table, or no column can be the label.
        ConfigError: The name is taken, or params.yaml is not right.
    """
    proposal = propose(file, label)
    called = name or _name(file)
    source = {"kind": "file", "path": file.as_posix()}
    head = ("title", "task", "file", "sha256")
    entry = {key: proposal.entry[key] for key in head}
    entry |= {"sources": [source]} | proposal.entry
    DatasetParams.model_validate(entry)
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
    command = f"autorec init-dataset {shlex.quote(str(file))} --name {called} --write"
    console.print(f"# Add it to {PARAMS} with: {command}")


def _name(file: Path) -> str:
    """A data set's name after its file: small letters, digits, '-' and '_'."""
    stem = PLAIN.sub("", file.name.lower())
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_") or "my-table"
