"""Takes a file of rows whose labels came later, for `autorec feedback`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autorec_core.data.reading.raw import bad_rows_of
from autorec_core.errors import DataError
from flows.config import Params
from flows.registry.loading import load_scorer
from flows.registry.versions import LIVE, aliased
from flows.serving.files.read_rows import opened, told
from flows.serving.files.score_files import by_entry
from flows.watching.feedback import Judge
from flows.watching.journal import Journal
from flows.watching.reference import Reference
from flows.workspace import Places


def take_file(
    dataset: str, source: Path, root: Path = Path(), say: Callable[[str], None] = print
) -> None:
    """Compares the labels in a file with the champion's scores, and prints the live loss.

    Args:
        dataset: The data set.
        source: CSV, TSV or Parquet file with column names, or a file in the format of the data
            set's entry.
        root: The workspace.
        say: Called with each sentence about the result.

    Raises:
        ConfigError: The data set is unknown or has no champion.
        DataError: The file cannot be read, or lacks a column.
        RegistryError: The champion cannot be loaded.
    """
    entry = Params.load(root / "params.yaml").dataset(dataset)
    version = aliased(dataset, LIVE, root)
    reference = Reference.of(version, root)
    judge = Judge(
        version, load_scorer(version, root), reference, Journal(Places(dataset, root).watch), root
    )
    counted = left_out = 0
    loss = None
    bad = bad_rows_of(entry)
    with opened(source, entry if by_entry(entry, source) else None, bad) as chunks:
        for table, _ in chunks:
            try:
                taken, left, loss = judge.take(table.to_pandas())
            except DataError as error:
                raise DataError(f"{source}: {error}") from error
            counted, left_out = counted + taken, left_out + left
    say(f"{counted:,} rows with labels were counted for version {version.number} of {dataset}.")
    if bad.rows:
        say(f"{source}: {told(bad)}")
    if left_out:
        say(
            f"{left_out:,} rows were left out, because the version learned from them or they have "
            "no label."
        )
    if loss is not None:
        limit = reference.loss_limit
        test = "" if limit is None else f" The interval of its test loss ends at {limit:.4f}."
        say(
            f"Live {reference.loss.upper()} on {loss.rows:,} rows so far: {loss.mean:.4f} (95 % "
            f"interval {loss.low:.4f} to {loss.high:.4f}).{test}"
        )
