"""The preprocessor: raw rows to encoded rows, the same code for training and scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from autorec_core.config import DatasetParams, PreprocessParams
from autorec_core.data.schema import Examples, Field, Schema
from autorec_core.errors import DataError, listed
from autorec_core.files import write_json

UNKNOWN = 0


@dataclass(frozen=True)
class Preprocessor:
    """Vocabularies and numeric statistics of the training split.

    Args:
        schema: What the model knows of the data.
        vocabularies: For each categorical column the known categories; the first has id 1.
        numeric: "log" (sign-safe log1p) or "standard", before which nothing is done.
        means: The mean of each numeric column after the transform, which fills what is missing.
        scales: The standard deviation of each, 1 where it is 0.
    """

    schema: Schema
    vocabularies: Mapping[str, pd.Index]
    numeric: str
    means: np.ndarray
    scales: np.ndarray

    @classmethod
    def fit(
        cls, entry: DatasetParams, settings: PreprocessParams, train: pd.DataFrame
    ) -> Preprocessor:
        """Learns vocabularies and statistics from the training rows alone.

        Args:
            entry: The data set's entry in params.yaml.
            settings: How columns become ids and numbers.
            train: The training rows, as `read_raw` gives them.
        """
        vocabularies = {}
        for name in entry.categorical:
            counts = train[name].astype("str").value_counts()
            known = counts[counts >= settings.min_count].index
            vocabularies[name] = pd.Index(sorted(known, key=_natural), dtype="str")
        transformed = _transform(train[list(entry.numeric)].to_numpy("float64"), settings.numeric)
        with np.errstate(invalid="ignore"):
            filled = np.isfinite(transformed).any(axis=0) if len(entry.numeric) else []
        if not np.all(filled):
            empty = [name for name, full in zip(entry.numeric, filled, strict=True) if not full]
            raise DataError(f"Numeric columns without a single value in train: {listed(empty)}.")
        means = np.nanmean(transformed, axis=0) if len(entry.numeric) else np.zeros(0)
        scales = np.nanstd(transformed, axis=0) if len(entry.numeric) else np.zeros(0)
        labels = train[entry.label]
        schema = Schema(
            task=entry.task,
            label=entry.label,
            categorical=tuple(
                Field(name, len(vocabulary) + 1) for name, vocabulary in vocabularies.items()
            ),
            numeric=tuple(entry.numeric),
            user=entry.user,
            item=entry.item,
            label_range=(float(labels.min()), float(labels.max())),
        )
        return cls(schema, vocabularies, settings.numeric, means, np.where(scales > 0, scales, 1.0))

    def encode(self, frame: pd.DataFrame) -> Examples:
        """Encodes raw rows.

        Args:
            frame: The categorical and numeric columns, and the label where it is known; other
                columns are ignored. Ids may be numbers or text: 196 and "196" are the same.

        Returns:
            The encoded rows; a category not seen in training, or missing, has id 0; a label that
            is not there is NaN.

        Raises:
            DataError: A column is missing, or a number is no number.
        """
        names = [field.name for field in self.schema.categorical]
        if missing := [name for name in (*names, *self.schema.numeric) if name not in frame]:
            raise DataError(
                f"The rows lack the columns {listed(missing)}. They have: {listed(frame.columns)}."
            )
        ids = np.empty((len(frame), len(names)), dtype=np.int32)
        for position, name in enumerate(names):
            ids[:, position] = self.vocabularies[name].get_indexer(_as_text(frame[name])) + 1
        numbers = np.empty((len(frame), len(self.schema.numeric)), dtype=np.float64)
        for position, name in enumerate(self.schema.numeric):
            numbers[:, position] = _as_numbers(frame[name])
        scaled = (_transform(numbers, self.numeric) - self.means) / self.scales
        label = (
            frame[self.schema.label].to_numpy("float32")
            if self.schema.label in frame
            else np.full(len(frame), np.nan, dtype=np.float32)
        )
        return Examples(ids, np.nan_to_num(scaled, nan=0.0).astype("float32"), label)

    def save(self, folder: Path) -> None:
        """Writes `schema.json`, `preprocessing.json` and a vocabulary file a column."""
        write_json(folder / "schema.json", self.schema.to_dict())
        statistics = {
            "numeric": self.numeric,
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
        }
        write_json(folder / "preprocessing.json", statistics)
        vocabularies = folder / "vocabulary"
        vocabularies.mkdir(exist_ok=True)
        for name, vocabulary in self.vocabularies.items():
            pd.DataFrame({name: vocabulary}).to_parquet(vocabularies / f"{name}.parquet")

    @classmethod
    def load(cls, folder: Path) -> Preprocessor:
        """Reads what `save` wrote.

        Raises:
            DataError: A file is missing or not what `save` writes.
        """
        try:
            schema = Schema.from_dict(json.loads((folder / "schema.json").read_text("utf-8")))
            statistics = json.loads((folder / "preprocessing.json").read_text("utf-8"))
            vocabularies = {
                field.name: pd.Index(
                    pd.read_parquet(folder / "vocabulary" / f"{field.name}.parquet")[field.name],
                    dtype="str",
                )
                for field in schema.categorical
            }
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{folder} holds no whole preprocessor: {error}.") from error
        return cls(
            schema,
            vocabularies,
            statistics["numeric"],
            np.asarray(statistics["means"], dtype=np.float64),
            np.asarray(statistics["scales"], dtype=np.float64),
        )


def _natural(category: str) -> tuple[int, int, str]:
    """Orders numbers by value and before words, so that ids do not depend on the rows' order."""
    return (0, int(category), category) if category.isdecimal() else (1, 0, category)


def _as_text(column: pd.Series) -> pd.Series:
    """Ids as text: whole numbers without a fraction, so that 196, 196.0 and "196" meet."""
    if pd.api.types.is_float_dtype(column):
        whole = column.to_numpy("float64", na_value=np.nan)
        known = np.isfinite(whole) & (whole == np.floor(whole))
        text = column.astype("str")
        text[known] = whole[known].astype("int64").astype("str")
        return text
    return column.astype("str")


def _as_numbers(column: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    if (wrong := (numbers.isna() & column.notna() & column.ne("")).to_numpy()).any():
        at = int(wrong.argmax())
        raise DataError(
            f"Row {at + 1}: {column.name} is {column.iloc[at]!r}; a number is expected."
        )
    return numbers.to_numpy("float64", na_value=np.nan)


def _transform(numbers: np.ndarray, kind: str) -> np.ndarray:
    """Sign-safe log1p against skew, monotone on all numbers; "standard" leaves them."""
    return np.sign(numbers) * np.log1p(np.abs(numbers)) if kind == "log" else numbers
