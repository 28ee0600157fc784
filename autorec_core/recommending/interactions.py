"""Which user met which item, from the raw rows of the prepared splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data import values
from autorec_core.data.preparing import store
from autorec_core.data.preparing.split import PARTS
from autorec_core.errors import DataError, listed
from autorec_core.recommending.index import NOWHERE, Index


@dataclass(frozen=True, eq=False)
class Excluded:
    """The candidates that are left out for each user, by their places.

    Args:
        starts: int64, shape (users + 1,): where the places of each user begin.
        places: int64, the places, user by user.
    """

    starts: np.ndarray
    places: np.ndarray

    @classmethod
    def nothing(cls, users: int) -> Excluded:
        """Leaves out nothing."""
        return cls(np.zeros(users + 1, np.int64), np.zeros(0, np.int64))

    @classmethod
    def of(cls, rows: np.ndarray, places: np.ndarray, users: int) -> Excluded:
        """Leaves out pairs of a user and a candidate, by place, except those with `NOWHERE`."""
        known = (rows != NOWHERE) & (places != NOWHERE)
        rows, places = rows[known], places[known]
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=users)
        return cls(np.concatenate([[0], np.cumsum(counts)]), places[order])

    def block(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the pairs of some users: the user, counted from `first`, and the place."""
        starts = self.starts[first : last + 1]
        rows = np.repeat(np.arange(last - first), np.diff(starts))
        return rows, self.places[starts[0] : starts[-1]]


@dataclass(frozen=True, eq=False)
class Interactions:
    """The rows of each user: what was met, with which label, in the order of time.

    Args:
        users: The users.
        items: The items.
        starts: int64, shape (users + 1,): where the rows of each user begin.
        met: int32, the item of each row as its place in `items`, user by user.
        labels: float32, the label of each row.
    """

    users: Index
    items: Index
    starts: np.ndarray
    met: np.ndarray
    labels: np.ndarray

    @classmethod
    def read(
        cls,
        folder: Path,
        user: str,
        item: str,
        label: str,
        time: str | None = None,
        *,
        parts: Sequence[str] = PARTS,
    ) -> Interactions:
        """Reads the splits, chunk by chunk. It keeps 12 bytes for each row in memory.

        Args:
            folder: A folder that `prepare` wrote.
            user: The user column.
            item: The item column.
            label: The label column.
            time: The column that orders a user's rows; by default their order in the raw file.
            parts: The splits to read; by default all three.

        Raises:
            DataError: The splits are not there, or lack a column.
        """
        clock = store.ROW_NUMBER if time is None else time
        names = [user, item, label, clock]
        columns: dict[str, list[pa.Array]] = {name: [] for name in names}
        for part in parts:
            path = folder / f"rows_{part}.parquet"
            for table in store.read_tables(path, columns=set(names), coded=[user, item]):
                if missing := [name for name in names if name not in table.column_names]:
                    raise DataError(f"{path} lacks the columns {listed(missing)}.")
                whole = pc.and_(table[user].is_valid(), table[item].is_valid())
                table = table.filter(whole)
                for name in (user, item):
                    columns[name].extend(table[name].chunks)
                columns[label].append(values.numbers(values.plain(table[label]))[0])
                columns[clock].append(values.moments(values.plain(table[clock]))[0])
        users, codes = _coded(columns[user])
        items, met = _coded(columns[item])
        labels, moments = (
            np.concatenate([np.zeros(0), *(_floats(each) for each in columns[name])])
            for name in (label, clock)
        )
        order = np.lexsort((moments, codes))
        starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(users)))])
        return cls(users, items, starts, met[order], labels[order].astype(np.float32))

    def of(self, user: str) -> tuple[list[str], list[float]]:
        """Returns the items that a user has met, the latest last, and their labels."""
        [at] = self.users.find([user])
        if at == NOWHERE:
            return [], []
        rows = slice(self.starts[at], self.starts[at + 1])
        return self.items.texts.take(pa.array(self.met[rows])).to_pylist(), self.labels[
            rows
        ].tolist()

    def seen(self, users: Sequence[str] | pa.Array, candidates: Index) -> Excluded:
        """Returns the candidates that users have met already.

        Args:
            users: The users asked for, each once.
            candidates: The candidates.
        """
        at = self.users.find(users)
        known = np.flatnonzero(at != NOWHERE)
        first, last = self.starts[at[known]], self.starts[at[known] + 1]
        counts = last - first
        # The numbers of the rows of all these users: `counts` rows from each start.
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        met, place = np.unique(self.met[np.repeat(first, counts) + steps], return_inverse=True)
        of_items = candidates.find(self.items.texts.take(pa.array(met)))
        return Excluded.of(np.repeat(known, counts), of_items[place], len(users))


def _coded(chunks: list[pa.Array]) -> tuple[Index, np.ndarray]:
    """Returns the different texts of a column, and the place of each row's text among them."""
    coded = [
        chunk if pa.types.is_dictionary(chunk.type) else values.coded(chunk) for chunk in chunks
    ]
    if not coded:
        return Index(pa.array([], pa.string())), np.zeros(0, np.int32)
    together = pa.chunked_array(coded).unify_dictionaries()
    codes = [chunk.indices.to_numpy(zero_copy_only=False) for chunk in together.chunks]
    texts = together.chunk(0).dictionary.cast(pa.string())
    return Index(texts), np.concatenate(codes).astype(np.int32)


def _floats(column: pa.Array) -> np.ndarray:
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
    return numbers.astype(np.float64)
