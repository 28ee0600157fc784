"""Columns computed from the time of a row, relative to the times of the training rows.

All days are days of UTC. A feature of a row uses the row's own time and the times of training rows
only, never a label, so valid and test rows tell the training rows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autorec_core.errors import DataError

DAY = 86_400
BETA = 0.4
"""The exponent of the drift, which Koren chose on the Netflix Prize data."""


@dataclass(frozen=True, eq=False)
class Visits:
    """The times of the training rows of each user, or of each item.

    Args:
        keys: The users or items: strings, each once.
        starts: int64, where the times of each key begin, and at the end their number; shape
            (keys + 1,).
        seconds: int64 seconds since 1970, in order within each key and each once.
        means: float64, the mean time of the rows of each key, shape (keys,).
    """

    keys: pa.Array
    starts: np.ndarray
    seconds: np.ndarray
    means: np.ndarray

    @classmethod
    def of(cls, keys: pa.Array, seconds: np.ndarray) -> Visits:
        """Learns the visits of training rows.

        Args:
            keys: A dictionary of strings, shape (rows,); rows without a key are left out.
            seconds: int64, shape (rows,).
        """
        known = keys.is_valid().to_numpy(zero_copy_only=False)
        found = keys.filter(pa.array(known)).dictionary_decode().dictionary_encode()
        codes, times = found.indices.to_numpy().astype(np.int64), seconds[known]
        order = np.lexsort((times, codes))
        codes, times = codes[order], times[order]
        count = len(found.dictionary)
        rows = np.bincount(codes, minlength=count)
        # Sums of differences are exact; sums of seconds since 1970 would lose digits.
        first = times[np.searchsorted(codes, np.arange(count))] if count else times
        late = np.bincount(codes, weights=times - first[codes], minlength=count)
        fresh = np.ones(len(codes), dtype=bool)
        fresh[1:] = (codes[1:] != codes[:-1]) | (times[1:] != times[:-1])
        starts = np.concatenate([[0], np.cumsum(np.bincount(codes[fresh], minlength=count))])
        return cls(found.dictionary, starts, times[fresh], first + late / np.maximum(rows, 1))

    def find(self, keys: pa.Array) -> np.ndarray:
        """Returns the place of each key, int64, shape (rows,); -1 for an unknown one."""
        words = keys.dictionary if pa.types.is_dictionary(keys.type) else keys
        places = pc.fill_null(pc.index_in(words, value_set=self.keys), -1)
        found = places.to_numpy(zero_copy_only=False).astype(np.int64)
        if not pa.types.is_dictionary(keys.type):
            return np.asarray(found)
        codes = pc.fill_null(keys.indices, len(found)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(found, -1)[codes])

    def age(self, places: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Returns the days since the first training row of each key, at least 0."""

        def since_first(at: np.ndarray) -> np.ndarray:
            return np.asarray((seconds - self.seconds[self.starts[at]]).clip(0) / DAY)

        return _of_known(places, since_first)

    def recency(self, places: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Returns the days since the last training row of each key before the given time."""
        low, span = self._span
        whole = np.clip(seconds - low, 0, span - 1)
        wanted = np.maximum(places, 0) * span + whole
        before = np.searchsorted(self._ranked, wanted) - 1
        has_one = before >= self.starts[np.maximum(places, 0)]
        last = self.seconds[np.maximum(before, 0)]
        return np.where(has_one & (places >= 0), (seconds - last) / DAY, np.nan)

    def drift(self, places: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Returns `sign(d) |d|^0.4`, with `d` the days since the mean time of each key."""

        def of_days(at: np.ndarray) -> np.ndarray:
            days = (seconds - self.means[at]) / DAY
            return np.asarray(np.sign(days) * np.abs(days) ** BETA)

        return _of_known(places, of_days)

    @property
    def _span(self) -> tuple[int, int]:
        """The first time, and the number of seconds from there to one second after the last."""
        if not len(self.seconds):
            return 0, 1
        low, high = int(self.seconds.min()), int(self.seconds.max())
        return low, high - low + 2

    @cached_property
    def _ranked(self) -> np.ndarray:
        """The times of all keys as one rising sequence of int64, key after key."""
        low, span = self._span
        counts = np.diff(self.starts)
        ranked: np.ndarray = np.repeat(np.arange(len(counts)), counts) * span + self.seconds - low
        return ranked

    def save(self, path: Path) -> None:
        """Writes the visits as a Parquet file with one row for each key."""
        offsets = pa.array(self.starts, pa.int32())
        lists = pa.ListArray.from_arrays(offsets, pa.array(self.seconds))
        table = pa.table({"key": self.keys, "seconds": lists, "mean": self.means})
        pq.write_table(table, path)

    @classmethod
    def load(cls, path: Path) -> Visits:
        """Reads what `save` wrote."""
        with pq.ParquetFile(path) as file:
            table = file.read().combine_chunks()
        keys, lists, means = (table[name].combine_chunks() for name in ("key", "seconds", "mean"))
        lengths = pc.list_value_length(lists).to_numpy()
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(keys, starts, lists.flatten().to_numpy(), means.to_numpy())


def _of_known(places: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    if not (places >= 0).any():
        return np.full(len(places), np.nan)
    return np.where(places >= 0, compute(np.maximum(places, 0)), np.nan)


@dataclass(frozen=True, eq=False)
class TimeFeatures:
    """The columns that are computed from a time column.

    Args:
        features: The name of the column of each feature, by feature.
        first: Seconds since 1970 of the first training row.
        users: The visits of users; None if no feature needs them.
        items: The visits of items; None if no feature needs them.
    """

    features: Mapping[str, str]
    first: int
    users: Visits | None
    items: Visits | None

    @classmethod
    def learn(
        cls,
        features: Mapping[str, str],
        seconds: np.ndarray,
        users: pa.Array | None,
        items: pa.Array | None,
    ) -> TimeFeatures:
        """Learns from the training rows.

        Args:
            features: The name of the column of each feature, by feature.
            seconds: float64 seconds since 1970, shape (rows,).
            users: The user of each row, a dictionary of strings; None if there is no user column.
            items: The item of each row, likewise.
        """
        whole = np.floor(seconds).astype(np.int64)
        needs = {role: any(one.startswith(role) for one in features) for role in ("user", "item")}
        return cls(
            dict(features),
            int(whole.min()),
            Visits.of(users, whole) if needs["user"] and users is not None else None,
            Visits.of(items, whole) if needs["item"] and items is not None else None,
        )

    def columns(
        self, seconds: np.ndarray, users: pa.Array | None, items: pa.Array | None
    ) -> dict[str, pa.Array]:
        """Computes the columns of rows.

        Args:
            seconds: float64 seconds since 1970, NaN if missing, shape (rows,).
            users: The user of each row: strings in canonical form, or a dictionary of them.
            items: The item of each row, likewise.

        Returns:
            By column: strings for categories, float64 for numbers; null if missing.
        """
        missing = np.isnan(seconds)
        whole = np.floor(np.where(missing, self.first, seconds)).astype(np.int64)
        days = whole // DAY
        found: dict[str, pa.Array] = {}
        places = {
            role: visits.find(keys)
            for role, visits, keys in (("user", self.users, users), ("item", self.items, items))
            if visits is not None and keys is not None
        }
        for feature, name in self.features.items():
            role, _, what = feature.partition("_")
            if feature == "hour":
                column = pa.array(whole % DAY // 3600).cast(pa.string())
            elif feature == "weekday":
                column = pa.array((days + 3) % 7).cast(pa.string())  # 1970 began on a Thursday
            elif feature == "day":
                column = pa.array((whole - self.first) / DAY)
            elif feature == "user_day":
                assert users is not None
                plain = users.dictionary_decode() if pa.types.is_dictionary(users.type) else users
                column = pc.binary_join_element_wise(plain, pa.array(days).cast(pa.string()), " ")
            else:
                visits = self.users if role == "user" else self.items
                assert visits is not None
                numbers = getattr(visits, what)(places[role], whole)
                column = pa.array(numbers, from_pandas=True)
            found[name] = pc.if_else(pa.array(missing), None, column)
        return found

    def save(self, folder: Path) -> None:
        """Writes `times.json`, and the visits of users and items, into a new folder."""
        folder.mkdir()
        about = {"features": dict(self.features), "first": self.first}
        (folder / "times.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
        for role, visits in (("users", self.users), ("items", self.items)):
            if visits is not None:
                visits.save(folder / f"{role}.parquet")

    @classmethod
    def load(cls, folder: Path) -> TimeFeatures:
        """Reads what `save` wrote.

        Raises:
            DataError: A file is missing or damaged.
        """
        try:
            about = json.loads((folder / "times.json").read_text(encoding="utf-8"))
            visits = [
                Visits.load(file) if (file := folder / f"{role}.parquet").exists() else None
                for role in ("users", "items")
            ]
            return cls(about["features"], about["first"], *visits)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise DataError(f"{folder} has no time features: {error}.") from error
