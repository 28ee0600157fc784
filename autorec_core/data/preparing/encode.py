"""The third pass over the rows: writes the raw and the encoded rows of each split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data.encoding.column_numbers import numbers_of
from autorec_core.data.encoding.lists import list_ids
from autorec_core.data.encoding.numeric import NumericTransform
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.identity import OCCURRENCE
from autorec_core.data.preparing.profile import PartProfile
from autorec_core.data.preparing.scratch import Scratch, Words
from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import ROW_NUMBER, table_writer, windows
from autorec_core.data.reading.typed_columns import used_columns
from autorec_core.data.schema import Schema
from autorec_core.data.values import plain

RAW = "raw "
"""The prefix of raw columns in a table that also has encoded columns."""


def write_split(
    entry: DatasetParams,
    schema: Schema,
    numeric: NumericTransform,
    scratch: Scratch,
    folder: Path,
    part: str,
    encoded: bool,
) -> dict[str, Any]:
    """Writes the raw or the encoded rows of one split. It can run in any process.

    Args:
        entry: The data set's entry in params.yaml.
        schema: The schema of the data.
        numeric: The transform of the numeric columns.
        scratch: The rows and their categories.
        folder: The folder to write to.
        part: "train", "valid" or "test".
        encoded: Whether to write encoded rows.

    Returns:
        The profile of the encoded rows; empty for raw rows.
    """
    if encoded:
        entry = entry.extended
    kept = [*entry.categorical, *(entry.multi_valued if encoded else ())]
    words = {name: scratch.words(name) for name in kept}
    if encoded:
        vocabularies = {name: one.vocabulary for name, one in words.items()}
        preprocessor = Preprocessor(schema, vocabularies, numeric)
        return _write_encoded(preprocessor, folder, part, scratch, words)
    with table_writer(folder / f"rows_{part}.parquet") as writer:
        for rows in windows(_rows(entry, part, scratch, words), scratch.window):
            columns = {name: rows[name] for name in rows.column_names}
            coded = {name: one.strings(rows[name].to_numpy()) for name, one in words.items()}
            writer.write(pa.table({**columns, **coded}))
    return {}


def _write_encoded(
    preprocessor: Preprocessor,
    folder: Path,
    part: str,
    scratch: Scratch,
    words: Mapping[str, Words],
) -> dict[str, Any]:
    schema = preprocessor.schema
    numbers = [*schema.numeric, schema.label]
    profiled = [*preprocessor.numeric.names, *(one.name for one in schema.lists)]
    profile = PartProfile(preprocessor)
    # Ids are written without dictionaries: the file is as small and is written faster.
    with table_writer(folder / f"{part}.parquet", coded=numbers) as writer:
        for rows in windows(_encoded(preprocessor, part, scratch, words), scratch.window):
            encoded = rows.select([*schema.id_columns, *numbers])
            writer.write(encoded)
            profile.update({name: plain(rows[RAW + name]) for name in profiled}, encoded)
    return profile.finish()


def _rows(
    entry: DatasetParams, part: str, scratch: Scratch, words: Mapping[str, Words]
) -> Iterator[pa.Table]:
    """Yields a split's rows with row numbers and codes of categories, partition by partition."""
    tables = scratch.tables([*used_columns(entry), ROW_NUMBER])
    for (table, parts), occurrences in zip(tables, scratch.occurrences(), strict=True):
        mask = parts == PARTS.index(part)
        chosen = np.flatnonzero(mask)
        kept = [name for name in table.column_names if name not in words]
        others = table.select(kept).filter(pa.array(mask))
        codes = {name: one.next(table[name].chunk(0), chosen) for name, one in words.items()}
        columns = {**{name: others[name] for name in others.column_names}, **codes}
        ordered = {name: columns[name] for name in table.column_names}
        yield pa.table({**ordered, OCCURRENCE: pa.array(occurrences[chosen].astype(np.int32))})


def _encoded(
    preprocessor: Preprocessor, part: str, scratch: Scratch, words: Mapping[str, Words]
) -> Iterator[pa.Table]:
    """Yields a split's encoded rows with raw numbers and lists, partition by partition."""
    schema = preprocessor.schema
    categorical = [field.name for field in schema.categorical]
    raw = [*preprocessor.numeric.names, *(one.name for one in schema.lists)]
    others = list(dict.fromkeys((*raw, schema.label)))
    for table, parts in scratch.tables(list(dict.fromkeys((*categorical, *others)))):
        mask = parts == PARTS.index(part)
        chosen = np.flatnonzero(mask)
        columns: dict[str, pa.Array] = {}
        for name in categorical:
            codes = words[name].next(table[name].chunk(0), chosen)
            columns[name] = pa.array(words[name].ids[codes])
        rows = table.select(others).filter(pa.array(mask))
        columns |= _list_columns(preprocessor, rows)
        columns |= _number_columns(schema, preprocessor, rows, len(chosen))
        columns |= {RAW + name: plain(rows[name]) for name in raw}
        yield pa.table(columns)


def _list_columns(preprocessor: Preprocessor, rows: pa.Table) -> dict[str, pa.Array]:
    schema = preprocessor.schema
    found: dict[str, pa.Array] = {}
    for one in schema.lists:
        ids, _ = list_ids(plain(rows[one.name]), one, preprocessor.vocabularies[one.name])
        first = schema.first_place(one)
        names = schema.id_columns[first : first + one.length]
        found |= {name: pa.array(ids[:, place]) for place, name in enumerate(names)}
    return found


def _number_columns(
    schema: Schema, preprocessor: Preprocessor, rows: pa.Table, count: int
) -> dict[str, pa.Array]:
    numbers = np.empty((count, len(preprocessor.numeric.names)), dtype=np.float64)
    for place, name in enumerate(preprocessor.numeric.names):
        numbers[:, place] = numbers_of(name, plain(rows[name]))
    scaled = np.asfortranarray(preprocessor.numeric.apply(numbers))
    found = {name: pa.array(scaled[:, place]) for place, name in enumerate(schema.numeric)}
    label = numbers_of(schema.label, plain(rows[schema.label])).astype(np.float32)
    return {**found, schema.label: pa.array(label)}
