"""The schema and the numeric transform that training rows decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from autorec_core.config import DatasetParams, PreprocessParams
from autorec_core.data import values
from autorec_core.data.encoding.column_numbers import numbers_of
from autorec_core.data.encoding.numeric import NumericStatistics, NumericTransform
from autorec_core.data.schema import (
    Field,
    ListField,
    Sampling,
    Schema,
    TableField,
    unused_name,
)
from autorec_core.errors import DataError, listed

FLAG = " missing"
"""The suffix of the name of a 0/1 column that marks missing values of a numeric column."""


class NumberStatistics:
    """Collects statistics of the numbers and labels of training rows, chunk by chunk.

    Args:
        entry: The data set's entry in params.yaml.
        settings: How columns become numbers.
    """

    def __init__(self, entry: DatasetParams, settings: PreprocessParams) -> None:
        self._entry = entry
        self.numeric = NumericStatistics(entry.numeric, settings.numeric)
        self.label_range = (np.inf, -np.inf)

    def update(self, columns: Mapping[str, pa.Array]) -> None:
        """Adds one chunk of training rows, given as Arrow columns."""
        numeric = [numbers_of(name, columns[name]) for name in self._entry.numeric]
        if numeric:
            self.numeric.update(np.stack(numeric, axis=1))
        labels = numbers_of(self._entry.label_name, columns[self._entry.label_name])
        if len(labels):
            low, high = self.label_range
            self.label_range = (min(low, float(labels.min())), max(high, float(labels.max())))


def countable(entry: DatasetParams, name: str, column: pa.Array) -> pa.Array:
    """Returns the categories of a column that a vocabulary counts, including those in lists."""
    if name not in entry.multi_valued:
        return column if pa.types.is_dictionary(column.type) else values.coded(column)
    separator = entry.multi_valued[name].separator
    cells = values.join_cells(values.plain(column), separator)
    found, _ = values.split_cells(cells, separator)
    return pa.concat_arrays([found, pa.nulls(cells.null_count, found.type)])


def make_schema(
    entry: DatasetParams,
    settings: PreprocessParams,
    sizes: Mapping[str, int],
    empty: Sequence[str],
    numbers: NumberStatistics,
    time_columns: Mapping[str, str],
) -> tuple[Schema, NumericTransform]:
    """Makes the schema and the transform of the numeric columns.

    Args:
        entry: The data set's entry in params.yaml.
        settings: How columns become ids and numbers.
        sizes: The size of each column's vocabulary.
        empty: Columns without any category.
        numbers: The statistics of the training rows' numbers and labels.
        time_columns: The column of each time feature.

    Raises:
        DataError: A column has no value.
    """
    if empty:
        raise DataError(
            f"Columns without any category in train: {listed(empty)}. List them as `ignored`."
        )
    numeric = numbers.numeric.finish(missing_flag=settings.missing_flag)
    schema = Schema(
        task=entry.task,
        label=entry.label_name,
        categorical=tuple(Field(name, sizes[name]) for name in entry.categorical),
        numeric=(*entry.numeric, *_flag_names(entry, numeric.flagged)),
        user=entry.user,
        item=entry.item,
        label_range=numbers.label_range,
        flags=len(numeric.flagged),
        lists=tuple(
            ListField(name, sizes[name], one.max_length, one.separator)
            for name, one in entry.multi_valued.items()
        ),
        missing=tuple(entry.missing),
        positive=tuple(entry.positive),
        negative=tuple(entry.negative),
        decimal=entry.decimal,
        time=entry.time if entry.time in entry.numeric else None,
        negatives=Sampling(**entry.negatives.model_dump()) if entry.negatives else None,
        tables=tuple(
            TableField(name, one.joins, tuple(one.features)) for name, one in entry.tables.items()
        ),
        clock=entry.time if entry.time_features else None,
        time_features=tuple(time_columns.items()),
    )
    return schema, numeric


def _flag_names(entry: DatasetParams, flagged: Sequence[str]) -> list[str]:
    """Returns unused names for the 0/1 columns that mark missing values."""
    taken = {entry.label_name, *entry.features}
    names = []
    for name in flagged:
        names.append(unused_name(name + FLAG, taken))
        taken.add(names[-1])
    return names
