"""The labels of the splits: their shares, how rare they are, and columns that give them away."""

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
from autorec_core.evaluation.telling import telling_columns

FEW = 10
"""With fewer clicks, or fewer rows without one, an AUC is mostly chance."""
LOOKED_AT = 200_000
"""Rows that are looked at, at most, to find columns that give the label away."""
CELLS = 40_000_000
NAMED = 5


def label_shares(prepared: Path, label: str) -> pd.DataFrame | None:
    """For each split and stratum, how many rows it has beyond its share of that stratum's rows.

    A stratum is a label, or a bin of like ones, up to the greatest label that stands beside it.

    Args:
        prepared: The folder that `prepare` wrote.
        label: The label's column.

    Returns:
        A row a split and stratum; None where the splits were not made to have equal shares.
    """
    profile = json.loads((prepared / "profile.json").read_text(encoding="utf-8"))["split"]
    if profile["strategy"] != "stratified":
        return None
    ends = np.asarray(profile["strata"], dtype=np.float32)
    counted = {part: _counts(prepared, part, label, ends) for part in PARTS}
    counts = pd.DataFrame(counted, index=pd.Index(profile["strata"], name="label"))
    share = counts.sum() / counts.to_numpy().sum()
    excess = counts - np.outer(counts.sum(axis=1), share)
    # Rounding in every stratum adds up in a split's share; half a row a stratum is not a fault.
    slack = np.maximum(np.abs(excess) - 0.5 * len(counts) * share, 0) * np.sign(excess)
    return slack.reset_index().melt("label", var_name="split", value_name="excess")


def _counts(prepared: Path, part: str, label: str, ends: np.ndarray) -> np.ndarray:
    """The rows of each stratum in one split; labels beyond the last are counted in it."""
    counts = np.zeros(len(ends), dtype=np.int64)
    for table in read_tables(prepared / f"{part}.parquet", columns=[label]):
        places = np.searchsorted(ends, table[label].to_numpy())
        counts += np.bincount(np.minimum(places, len(ends) - 1), minlength=len(ends))
    return counts


def label_notes(prepared: Path, schema: Schema) -> list[str]:
    """What must be known of the labels before anyone trusts a figure, in sentences."""
    return [*_rare_labels(prepared, schema), *_told_by(prepared, schema)]


def _rare_labels(prepared: Path, schema: Schema) -> Iterator[str]:
    """Splits of clicks in which a label is so rare that an AUC is chance, or none at all."""
    if schema.task != "ctr":
        return
    for part in PARTS:
        tables = read_tables(prepared / f"{part}.parquet", columns=[schema.label])
        labels = np.concatenate([table[schema.label].to_numpy() for table in tables])
        for value in (0, 1):
            count = int((labels == value).sum())
            if not count:
                yield (
                    f"No row of {part} has {schema.label} {value}: an AUC cannot be computed there"
                )
            elif count < FEW:
                yield (
                    f"Only {count} of the {len(labels):,} rows of {part} ha"
                    f"{'s' if count == 1 else 've'} {schema.label} {value}: an AUC on them is "
                    "mostly chance"
                )


def _told_by(prepared: Path, schema: Schema) -> Iterator[str]:
    """Columns that alone predict the label almost perfectly; test rows are not asked."""
    found = telling_columns(_some_rows(prepared, schema), schema)
    by = "AUC" if schema.task == "ctr" else "share of the variance explained"
    for one in found[:NAMED]:
        yield (
            f"The column {one.name} alone predicts {schema.label} almost perfectly ({by} "
            f"{one.power:.4f}): if it is not known before {schema.label} is, list it as `ignored`"
        )
    if len(found) > NAMED:
        yield f"So do {len(found) - NAMED} more columns"


def _some_rows(prepared: Path, schema: Schema) -> Examples:
    """Encoded rows of train and valid, from places all over their files."""
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
