"""Writes the best items of many users into a file, in bounded memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from autorec_core.data import values
from autorec_core.errors import DataError, listed
from autorec_core.files import whole_file
from autorec_core.recommending.index import Index
from autorec_core.recommending.interactions import Excluded, Interactions
from autorec_core.recommending.ranker import POPULAR, Ranker
from flows.processes.locks import unchanged
from flows.registry.loading import load_scorer
from flows.registry.versions import LIVE, Version, aliased, model_name
from flows.serving.files.read_rows import KINDS, opened
from flows.serving.files.score_files import RowWriter, made_by
from flows.serving.load_ranker import history_of, ranker_of
from flows.serving.wanted import NOTHING, SEEN, Wanted


def recommend_file(
    dataset: str, wanted: Wanted, target: Path, *, alias: str = LIVE, root: Path = Path()
) -> Version:
    """Writes the best items of users: a row for each item, in the columns of `Ranker.names`.

    Args:
        dataset: The data set.
        wanted: Which lists.
        target: The file to appear; a Parquet file says in its metadata which model made it.
        alias: Which registered model.
        root: The workspace: the folder that holds params.yaml.

    Returns:
        The version that made the lists.

    Raises:
        ConfigError: The data set is unknown or has no model of this alias.
        DataError: A file cannot be read or holds what is not allowed, a column that the model
            reads is not known, or nothing is left to recommend.
        RegistryError: The model cannot be loaded, or is not what was registered.
    """
    history = history_of(dataset, root)
    if target.suffix not in KINDS:
        raise DataError(f"{target}: lists are written as .csv, .tsv or .parquet.")
    tables = [None if path is None else _read(path) for path in (wanted.users, wanted.candidates)]
    version = aliased(dataset, alias, root)
    scorer = load_scorer(version, root)
    with unchanged(root, dataset, say=print):
        ranker = ranker_of(version, scorer, history)
        seen = history.interactions if wanted.exclude == SEEN else None
    ranker.check_top(wanted.top)
    users = ranker.users(tables[0], f"{wanted.users}: ")
    candidates = ranker.candidates(tables[1], f"{wanted.candidates}: ")
    if wanted.where is not None:
        candidates = ranker.where(candidates, wanted.where)
    candidates, excluded = _without(wanted.exclude, users, candidates, ranker, seen)
    counts: Counter[str] = Counter()
    with whole_file(target) as written, RowWriter(written, made_by(version)) as writer:
        for block in ranker.rank(users, candidates, excluded, wanted.top):
            writer.write(block)
            first = block.filter(pc.equal(block[ranker.names.rank], 1))
            counts.update({"items": len(block), "lists": len(first)})
            counts["popular"] += pc.sum(pc.equal(first[ranker.names.reason], POPULAR)).as_py() or 0
        if not counts["items"]:
            raise DataError("Nothing is left to recommend: every item is excluded for every user.")
    _tell(version, counts, len(users), target)
    return version


def _without(
    exclude: str,
    users: pa.Table,
    candidates: pa.Table,
    ranker: Ranker,
    seen: Interactions | None,
) -> tuple[pa.Table, Excluded]:
    """Returns the candidates without those excluded for all, and what is excluded for each user."""
    user, item = ranker.catalogue.user, ranker.catalogue.item
    texts, items = values.plain(users[user]), values.plain(candidates[item])
    if exclude == NOTHING:
        return candidates, Excluded.nothing(len(users))
    if seen is not None:
        return candidates, seen.seen(texts, Index(items))
    table = _read(Path(exclude))
    if item not in table.column_names:
        raise DataError(
            f"{exclude}: The column {item} is missing, which holds the items to exclude. "
            f"There are: {listed(table.column_names)}."
        )
    refused = values.categories(values.plain(table[item]))
    if user in table.column_names:
        rows = Index(texts).find(values.categories(values.plain(table[user])))
        return candidates, Excluded.of(rows, Index(items).find(refused), len(users))
    left = candidates.filter(pc.invert(pc.is_in(items, value_set=refused)))
    if not len(left):
        raise DataError(f"Nothing is left to recommend: {exclude} excludes every candidate.")
    return left, Excluded.nothing(len(users))


def _read(path: Path) -> pa.Table:
    """Reads a whole file of users or items; cells of text files are text."""
    if path.suffix not in KINDS:
        raise DataError(
            f"{path}: files of kind {path.suffix or 'unknown'} are not read; "
            ".csv, .tsv and .parquet are."
        )
    with opened(path) as chunks:
        tables = [table for table, _ in chunks]
    if not tables:
        raise DataError(f"{path} has no rows.")
    return pa.concat_tables(tables)


def _tell(version: Version, counts: Counter[str], users: int, target: Path) -> None:
    said = f"{counts['items']:,} items for {counts['lists']:,} users"
    if counts["popular"]:
        said += f", {counts['popular']:,} of them new users who get popular items"
    if left := users - counts["lists"]:
        said += f"; for {left:,} more users every item is excluded"
    by = f"version {version.number} of {model_name(version.dataset)}"
    Console().print(f"{said}, by {by}: {target}", markup=False)
