"""Prepares a raw file of any size: splits it, learns from train and encodes all rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from autorec_core.config import DatasetParams, PreprocessParams, SplitParams
from autorec_core.data.compute import LOCAL, Compute
from autorec_core.data.encoding.learned_schema import NumberStatistics, make_schema
from autorec_core.data.encoding.numeric import NumericTransform
from autorec_core.data.encoding.preprocessor import (
    TIMES,
    UNKNOWN_RATE,
    save_schema,
    save_tables,
    table_file,
)
from autorec_core.data.labels import upper_ends
from autorec_core.data.preparing import store
from autorec_core.data.preparing.encode import write_split
from autorec_core.data.preparing.identity import OCCURRENCE, RowHashes
from autorec_core.data.preparing.learn import Learned, learn
from autorec_core.data.preparing.row_times import add_time_features
from autorec_core.data.preparing.scratch import Scratch, write_partition
from autorec_core.data.preparing.split import PARTS, hash_sample, stratified_sample
from autorec_core.data.preparing.survey import ChunkSurvey, Survey, survey, survey_chunk
from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.raw import RawRows, bad_rows_of, map_chunks
from autorec_core.data.reading.raw_files import raw_files
from autorec_core.data.reading.side_tables import read_side_tables
from autorec_core.data.reading.typed_columns import used_columns
from autorec_core.data.schema import Schema
from autorec_core.data.side_table import SideTable, join_all
from autorec_core.errors import DataError, listed
from autorec_core.files import whole_folder, write_json

GROUPS = 32
"""The approximate number of groups of columns; at most this many workers learn at a time."""
_log = logging.getLogger(__name__)


def prepare(
    entry: DatasetParams,
    split: SplitParams,
    preprocess: PreprocessParams,
    seed: int,
    raw: Path,
    out: Path,
    compute: Compute = LOCAL,
    test: np.ndarray | None = None,
) -> dict[str, Any]:
    """Writes encoded splits, raw rows of each split, schema, vocabularies and a profile.

    The first pass reads the raw file in chunks, checks the rows and stores them as typed columns in
    a scratch folder. The second learns each column from the rows of train. The third writes the
    files of each split. Chunks, columns and files are processed in parallel. Only one or two bytes
    for each row stay in memory. Side tables are read from `tables/NAME` next to the raw file and
    joined to the chunks.

    Args:
        entry: The data set's entry in params.yaml.
        split: How rows are divided.
        preprocess: How columns become ids and numbers.
        seed: The seed of the split, and of the sample if the entry has one.
        raw: The raw file, or a pattern for several.
        out: The folder to create. An existing folder is replaced at the end, or stays if an error
            occurs.
        compute: Where the work runs. If not all workers can read the raw file and write to `out`,
            it runs in this process.
        test: bool, shape (rows,): the rows of test, as a protocol names them; None if `split`
            decides it.

    Returns:
        The profile, as written to `profile.json`.

    Raises:
        DataError: The raw file is not what the entry says, or `out` cannot be written.
    """
    if taken := [name for name in (store.ROW_NUMBER, OCCURRENCE) if name in used_columns(entry)]:
        raise DataError(f"{raw}: AutoRec itself uses columns named {listed(taken)}; rename them.")
    with whole_folder(out) as folder:
        aside = folder.absolute().parent / "scratch"
        aside.mkdir()
        folder = folder.absolute()
        if not compute.can_access(aside, raw_files(raw)):
            _log.warning(
                "Not all workers can access %s and %s. This process prepares the data instead.",
                raw,
                out.parent,
            )
            compute = LOCAL
        bad = bad_rows_of(entry)
        tables = read_side_tables(entry, raw.parent)
        save_tables(folder, tables)
        found, scratch = _store_rows(entry, split, seed, raw, folder, aside, bad, compute, test)
        if entry.time_features:
            add_time_features(entry, scratch, compute).save(folder / TIMES)
        schema, numeric = _learn(entry, preprocess, folder, scratch, compute)
        profile: dict[str, Any] = {
            "split": {
                "strategy": split.strategy,
                "ratios": split.ratios,
                "seed": seed,
                "strata": upper_ends(found.label_values, found.strata_of_labels).tolist()
                if split.strategy == "stratified" and entry.task != "ranking"
                else [],
            },
            "bad_rows": len(bad.rows),
            "tables": {name: len(table) for name, table in tables.items()},
            "splits": _write(entry, schema, numeric, folder, scratch, compute),
        }
        write_json(folder / UNKNOWN_RATE, profile["splits"]["test"]["unknown_rate"])
        if bad.rows:
            pyarrow.csv.write_csv(bad.table(), folder / "bad_rows.csv")
        write_json(folder / "profile.json", profile)
    return profile


def _store_rows(
    entry: DatasetParams,
    split: SplitParams,
    seed: int,
    raw: Path,
    folder: Path,
    aside: Path,
    bad: BadRows,
    compute: Compute,
    test: np.ndarray | None,
) -> tuple[Survey, Scratch]:
    """Reads the raw file, stores its rows or a sample of them, and assigns each to a part."""
    sampled = entry.sample is not None

    def pass_over(
        function: Callable[..., ChunkSurvey], bad: BadRows, masks: Mapping[int, np.ndarray]
    ) -> _Pass:
        counts: list[int] = []

        def settings(place: int) -> tuple[Any, ...]:
            return entry, split, raw, folder, aside, place, masks.get(place)

        chunks = map_chunks(
            function, entry, raw, bad=bad, coded=True, compute=compute, settings=settings
        )
        with closing(chunks):
            found = survey(entry.joined, split, _count_rows(chunks, counts), raw)
        return found, tuple((place, rows) for place, rows in enumerate(counts) if rows)

    found, chunks = pass_over(
        survey_only if sampled else store_chunk, bad_rows_of(entry) if sampled else bad, {}
    )
    hashes = RowHashes(aside, chunks)
    occurrences = hashes.occurrences()
    apart = None if entry.facts.unique else occurrences
    chosen: np.ndarray | None = None
    if entry.sample is not None:
        if split.strategy == "hash":
            names = np.concatenate(list(hashes.identities(apart)))
            chosen = hash_sample(found.strata, names, entry.sample, seed)
        else:
            chosen = stratified_sample(found.strata, entry.sample, seed)
        found, chunks = pass_over(store_chunk, bad, hashes.divided(chosen))
        occurrences = occurrences[chosen]
    scratch = Scratch(aside, chunks, store.CHUNK_ROWS, tuple(used_columns(entry.extended)))
    parts = found.parts(split, seed, lambda: hashes.identities(apart, chosen), test)
    scratch.save_rows(parts, occurrences)
    return found, scratch


_Pass = tuple[Survey, tuple[tuple[int, int], ...]]


def _count_rows(surveys: Iterator[ChunkSurvey], counts: list[int]) -> Iterator[ChunkSurvey]:
    for one in surveys:
        counts.append(one.rows)
        yield one


def survey_only(
    entry: DatasetParams,
    split: SplitParams,
    place: Path,
    folder: Path,
    aside: Path,
    number: int,
    _: None,
    rows: RawRows,
) -> ChunkSurvey:
    """Surveys one chunk of rows without storing it. It can run in any process."""
    RowHashes.save(aside, number, entry, rows.table)
    return survey_chunk(entry.joined, split, place, _joined(entry, folder, rows.table))


def store_chunk(
    entry: DatasetParams,
    split: SplitParams,
    place: Path,
    folder: Path,
    aside: Path,
    number: int,
    chosen: np.ndarray | None,
    rows: RawRows,
) -> ChunkSurvey:
    """Surveys one chunk and stores its rows, or the chosen ones. It can run in any process."""
    table = rows.table.append_column(store.ROW_NUMBER, pa.array(rows.numbers))
    if chosen is None:
        RowHashes.save(aside, number, entry, rows.table)
    else:
        table = table.filter(pa.array(chosen))
    table = _joined(entry, folder, table)
    write_partition(aside, number, table)
    return survey_chunk(entry.joined, split, place, table)


def _joined(entry: DatasetParams, folder: Path, rows: pa.Table) -> pa.Table:
    """Joins the side tables to rows. Row hashes are made before: rows are known by their ids."""
    return join_all(_tables(folder, tuple(entry.tables)), rows) if entry.tables else rows


@lru_cache(maxsize=1)  # a process reads the tables once, not for each chunk
def _tables(folder: Path, names: tuple[str, ...]) -> tuple[SideTable, ...]:
    return tuple(SideTable.load(table_file(folder, name)) for name in names)


def _learn(
    entry: DatasetParams,
    preprocess: PreprocessParams,
    folder: Path,
    scratch: Scratch,
    compute: Compute,
) -> tuple[Schema, NumericTransform]:
    """Learns vocabularies and statistics from train, and writes them."""
    time_columns, entry = entry.time_columns, entry.extended
    (folder / "vocabulary").mkdir()
    groups = [(), *_column_groups(entry, scratch)]
    calls = ((entry, preprocess, folder, scratch, names) for names in groups)
    numbers, *learned = compute.map(learn, calls)
    of_column: dict[str, Learned] = {name: one for some in learned for name, one in some.items()}
    assert isinstance(numbers, NumberStatistics)
    schema, numeric = make_schema(
        entry,
        preprocess,
        {name: one.size for name, one in of_column.items()},
        [name for name in (*entry.categorical, *entry.multi_valued) if of_column[name].is_empty],
        numbers,
        time_columns,
    )
    save_schema(folder, schema, numeric)
    return schema, numeric


def _column_groups(entry: DatasetParams, scratch: Scratch) -> list[tuple[str, ...]]:
    """Groups the columns of categories: large ones first and alone, small ones together."""
    first = scratch.table(scratch.partitions[0][0])
    sizes = {name: first[name].nbytes for name in (*entry.categorical, *entry.multi_valued)}
    groups: list[tuple[str, ...]] = []
    room = 0.0
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        room -= sizes[name]
        if not groups or room < 0:
            groups.append(())
            room = sum(sizes.values()) / GROUPS - sizes[name]
        groups[-1] += (name,)
    return groups


def _write(
    entry: DatasetParams,
    schema: Schema,
    numeric: NumericTransform,
    folder: Path,
    scratch: Scratch,
    compute: Compute,
) -> dict[str, dict[str, Any]]:
    """Writes each split's rows, raw and encoded; returns the profiles."""
    files = [(part, encoded) for part in PARTS for encoded in (True, False)]
    calls = ((entry, schema, numeric, scratch, folder, *file) for file in files)
    profiles = list(compute.map(write_split, calls))
    return {part: one for (part, encoded), one in zip(files, profiles, strict=True) if encoded}
