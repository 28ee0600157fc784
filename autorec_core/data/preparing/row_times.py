"""Adds the columns of the time features to the rows in the scratch folder."""

from __future__ import annotations

import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data.compute import Compute
from autorec_core.data.encoding.column_numbers import moments_of
from autorec_core.data.preparing.learn import TRAIN
from autorec_core.data.preparing.scratch import Scratch
from autorec_core.data.time_features import TimeFeatures
from autorec_core.data.values import plain


def add_time_features(entry: DatasetParams, scratch: Scratch, compute: Compute) -> TimeFeatures:
    """Learns the times of the training rows, and adds the time features of all rows.

    It needs the users, items and times of all training rows in memory, 24 bytes for each row.

    Args:
        entry: The data set's entry in params.yaml.
        scratch: The rows.
        compute: Where the work runs.
    """
    assert entry.time is not None
    names = list(dict.fromkeys(name for name in (entry.time, *entry.roles) if name is not None))
    trained = [table.filter(pa.array(parts == TRAIN)) for table, parts in scratch.tables(names)]
    rows = pa.concat_tables(trained)
    seconds = moments_of(entry.time, plain(rows[entry.time]))
    keys = [None if name is None else _coded(rows[name]) for name in entry.roles]
    features = TimeFeatures.learn(entry.time_columns, seconds, *keys)
    calls = ((entry, features, scratch, number) for number, _ in scratch.partitions)
    for _ in compute.map(add_to_partition, calls):
        pass
    return features


def add_to_partition(
    entry: DatasetParams, features: TimeFeatures, scratch: Scratch, number: int
) -> int:
    """Adds the time features of one partition. It can run in any process."""
    assert entry.time is not None
    table = scratch.table(number)
    seconds = moments_of(entry.time, plain(table[entry.time]))
    keys = [None if name is None else table[name].chunk(0) for name in entry.roles]
    scratch.add_columns(number, features.columns(seconds, *keys))
    return number


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Returns a column of dictionaries as one, with each text once."""
    return column.unify_dictionaries().combine_chunks()
