"""Checks the labels of the splits: shares, rare labels, columns that predict them alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import opened, read_tables
from autorec_core.data.schema import Examples, Schema
from autorec_core.evaluation.telling import find_telling_columns

FEW = 10
"""With fewer rows of either label, an AUC is mostly chance."""
LOOKED_AT = 200_000
"""Maximum number of rows used to find columns that predict the label alone."""
CELLS = 40_000_000
NAMED = 5


def label_shares(prepared: Path, label: str) -> pd.DataFrame | None:
    """Counts how many rows each split has beyond its share of each stratum.

    A stratum is one label or a bin of similar labels. It is named after its greatest label.

    Args:
        prepared: The folder that `prepare` wrote.
        label: The label column.

    Returns:
        One row per split and stratum, or None if the split is not stratified by label.
    """
    profile = json.loads((prepared / "profile.json").read_text(encoding="utf-8"))["split"]
    if not profile["strata"]:
        return None
    ends = np.asarray(profile["strata"], dtype=np.float32)
    counted = {part: _counts(prepared, part, label, ends) for part in PARTS}
    counts = pd.DataFrame(counted, index=pd.Index(profile["strata"], name="label"))
    share = counts.sum() / counts.to_numpy().sum()
    excess = counts - np.outer(counts.sum(axis=1), share)
    # Half a row per stratum is allowed: the rounding of all strata adds up in a split's share.
    slack = np.maximum(np.abs(excess) - 0.5 * len(counts) * share, 0) * np.sign(excess)
    return slack.reset_index().melt("label", var_name="split", value_name="excess")


def _counts(prepared: Path, part: str, label: str, ends: np.ndarray) -> np.ndarray:
    """Counts the rows of each stratum in one split. Greater labels count in the last stratum."""
    counts = np.zeros(len(ends), dtype=np.int64)
    for table in read_tables(prepared / f"{part}.parquet", columns=[label]):
        places = np.searchsorted(ends, table[label].to_numpy())
        counts += np.bincount(np.minimum(places, len(ends) - 1), minlength=len(ends))
    return counts


def label_notes(prepared: Path, schema: Schema) -> list[str]:
    """Returns warnings about the labels that readers need to judge the figures, as sentences."""
    return [*_rare_labels(prepared, schema), *_predicting_columns(prepared, schema)]


def _rare_labels(prepared: Path, schema: Schema) -> Iterator[str]:
    """Yields a warning for each split of clicks in which a label is missing or too rare."""
    if schema.task != "ctr":
        return
    for part in PARTS:
        tables = read_tables(prepared / f"{part}.parquet", columns=[schema.label])
        labels = np.concatenate([table[schema.label].to_numpy() for table in tables])
        for value in (0, 1):
            count = int((labels == value).sum())
            if not count:
                yield (
                    f"No row of {part} has {schema.label} {value}: an AUC cannot be computed for it"
                )
            elif count < FEW:
                yield (
                    f"Only {count} of the {len(labels):,} rows of {part} ha"
                    f"{'s' if count == 1 else 've'} {schema.label} {value}: its AUC is "
                    "mostly chance"
                )


def _predicting_columns(prepared: Path, schema: Schema) -> Iterator[str]:
    """Yields a warning for each column that alone predicts the label. Test rows are not used."""
    found = find_telling_columns(_some_rows(prepared, schema), schema)
    by = "AUC" if schema.task == "ctr" else "share of the variance explained"
    for column in found[:NAMED]:
        yield (
            f"The column {column.name} alone predicts {schema.label} almost perfectly ({by} "
            f"{column.power:.4f}): if it is not known before {schema.label}, list it as `ignored`"
        )
    if len(found) > NAMED:
        yield f"{len(found) - NAMED} more columns also predict {schema.label} almost perfectly"


def _some_rows(prepared: Path, schema: Schema) -> Examples:
    """Reads encoded rows of train and valid, spread over their whole files."""
    columns = [*schema.id_columns, *schema.numeric, schema.label]
    most = max(min(LOOKED_AT, CELLS // len(columns)), 1000)
    tables = []
    for part, share in (("train", 0.8), ("valid", 0.2)):
        with opened(prepared / f"{part}.parquet") as file:
            wanted = max(int(most * share), 1)
            groups = np.linspace(0, file.num_row_groups - 1, min(file.num_row_groups, 8))
            for group in np.unique(groups.astype(int)).tolist():
                table = file.read_row_group(group, columns=columns)
                step = max(1, -(-table.num_rows * len(groups) // wanted))
                tables.append(table.take(pa.array(np.arange(0, table.num_rows, step))))
    rows = pa.concat_tables(tables)
    ids = [rows[name].to_numpy() for name in schema.id_columns]
    numbers = [rows[name].to_numpy() for name in schema.numeric]
    count = rows.num_rows
    return Examples(
        np.stack(ids, axis=1) if ids else np.zeros((count, 0), np.int32),
        np.stack(numbers, axis=1) if numbers else np.zeros((count, 0), np.float32),
        rows[schema.label].to_numpy(),
    )
