"""From a raw file to encoded splits: split, fit on train, encode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autorec_core.config import DatasetParams, PreprocessParams, SplitParams
from autorec_core.data.preprocessor import Preprocessor
from autorec_core.data.raw import read_raw
from autorec_core.data.schema import Examples
from autorec_core.data.split import PARTS, stratified_split
from autorec_core.data.store import save_examples, save_rows
from autorec_core.errors import DataError
from autorec_core.files import whole_folder, write_json


def prepare(
    entry: DatasetParams,
    split: SplitParams,
    preprocess: PreprocessParams,
    seed: int,
    raw: Path,
    out: Path,
) -> dict[str, Any]:
    """Writes encoded splits, raw rows of each split, schema, vocabularies and a profile.

    Args:
        entry: The data set's entry in params.yaml.
        split: How rows are divided.
        preprocess: How columns become ids and numbers.
        seed: Seeds the split.
        raw: The raw file.
        out: The folder to appear; an earlier one is replaced at the end, or stays.

    Returns:
        The profile, as written to `profile.json`.

    Raises:
        DataError: The raw file is not what the entry says, or `out` cannot be written.
    """
    frame = read_raw(entry, raw)
    labels = frame[entry.label]
    if labels.nunique() < 2:
        raise DataError(
            f"{raw}: {entry.label} is {labels.iloc[0]:g} in every row; nothing to learn."
        )
    membership = stratified_split(labels.to_numpy(), split.ratios, seed)
    rows = {
        part: frame[membership == number].reset_index(drop=True)
        for number, part in enumerate(PARTS)
    }
    preprocessor = Preprocessor.fit(entry, preprocess, rows["train"])
    profile: dict[str, Any] = {"splits": {}}
    with whole_folder(out) as folder:
        preprocessor.save(folder)
        for part, raw_rows in rows.items():
            examples = preprocessor.encode(raw_rows)
            save_examples(folder, part, examples, preprocessor.schema)
            save_rows(folder, part, raw_rows, np.flatnonzero(membership == PARTS.index(part)))
            profile["splits"][part] = _profile(raw_rows, examples, preprocessor)
        write_json(folder / "profile.json", profile)
    return profile


def _profile(rows: pd.DataFrame, examples: Examples, preprocessor: Preprocessor) -> dict[str, Any]:
    """Sizes, label distribution and unknown rates of one split; no raw ids."""
    schema = preprocessor.schema
    labels = rows[schema.label]
    return {
        "rows": len(rows),
        "label_mean": float(labels.mean()),
        "label_counts": {f"{value:g}": int(n) for value, n in labels.value_counts().items()}
        if labels.nunique() <= 100
        else {},
        "categories": {field.name: int(rows[field.name].nunique()) for field in schema.categorical},
        "unknown_rate": {
            field.name: float((examples.categorical[:, position] == 0).mean())
            for position, field in enumerate(schema.categorical)
        },
    }
