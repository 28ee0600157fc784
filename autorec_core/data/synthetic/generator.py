"""Writes synthetic files in the formats of the benchmark data sets, to test scale and errors.

Labels follow planted effects plus noise, so the loss of the best possible model is known. Results
on synthetic files say nothing about real data.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv

from autorec_core.errors import ConfigError
from autorec_core.files import whole_file

CHUNK_ROWS = 100_000
FACTORS = 4
NOISE = 0.8
DIRT = (b"\0", b"\xff", b"\tx,x::x")
"""The ends of unreadable lines: a NUL byte, a byte that is not UTF-8, or too many columns."""


@dataclass(frozen=True)
class Generated:
    """Facts about a synthetic file.

    Args:
        rows: Number of rows, including unreadable ones.
        soiled: Number of unreadable rows.
        noise_floor: The loss of a model that knows the planted effects: mean squared error for
            ratings, cross entropy for clicks.
    """

    rows: int
    soiled: int
    noise_floor: float


@dataclass(frozen=True)
class _Chunk:
    """Some rows as text, and the sum of the best possible model's losses on them."""

    content: bytes
    loss: float


def generate(form: str, rows: int, path: Path, *, seed: int, dirt: float = 0.0) -> Generated:
    """Writes a file of synthetic rows, in memory that does not grow with the file.

    Args:
        form: "movielens" (like ratings.dat of MovieLens 1M), "netflix", "avazu" or "criteo".
        rows: Number of rows.
        path: The file; it is compressed if its name ends in .gz.
        seed: The seed; the same seed gives the same file.
        dirt: The share of lines to make unreadable.

    Raises:
        ConfigError: The format is unknown, or a number is not allowed.
        DataError: The file cannot be written.
    """
    if form not in _WRITERS:
        raise ConfigError(f"Unknown format {form!r}. Known formats: {', '.join(_WRITERS)}.")
    if rows < 1 or not 0 <= dirt <= 1:
        raise ConfigError("`rows` must be at least 1, and `dirt` a share from 0 to 1.")
    soiled, loss = 0, 0.0
    random = np.random.default_rng([seed, 1])
    with whole_file(path) as written, _opened(written) as file:
        for chunk in _WRITERS[form](rows, seed):
            content, count = _soiled(chunk.content, dirt, random)
            file.write(content)
            soiled += count
            loss += chunk.loss
    return Generated(rows, soiled, loss / rows)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(path, "wb", compresslevel=1, mtime=0))
    return path.open("wb")


def _soiled(content: bytes, share: float, random: np.random.Generator) -> tuple[bytes, int]:
    """Makes a share of the lines unreadable, and returns the lines and the number of those."""
    if not share:
        return content, 0
    lines = content.split(b"\n")[:-1]
    chosen = np.flatnonzero(random.random(len(lines)) < share).tolist()
    # Header lines and movie lines stay readable: only rows are tested.
    chosen = [at for at in chosen if not (lines[at].endswith(b":") or lines[at].startswith(b"id,"))]
    for number, at in enumerate(chosen):
        lines[at] += DIRT[number % len(DIRT)]
    return b"\n".join(lines) + b"\n", len(chosen)


def _movielens(rows: int, seed: int) -> Iterator[_Chunk]:
    users = max(20, rows // 50)
    items = _prime(max(101, min(rows // 50, 20_000)))
    for part in _ratings(rows, users, items, seed):
        columns = {
            "user": part.major + 1,
            "item": part.minor + 1,
            "rating": part.rating,
            "time": 956_000_000 + part.time,
        }
        yield _Chunk(_text(columns, "\x1f").replace(b"\x1f", b"::"), part.loss)


def _netflix(rows: int, seed: int) -> Iterator[_Chunk]:
    movies = max(10, min(rows // 5000, 17_770))
    users = _prime(max(2003, min(rows // 20, 480_189)))
    last = -1
    for part in _ratings(rows, movies, users, seed):
        day = np.datetime64("1999-11-11") + part.time // 86_400
        columns = {"user": part.minor + 1, "rating": part.rating, "day": day}
        lines = _text(columns, ",").split(b"\n")[:-1]
        starts = np.flatnonzero(np.diff(part.major, prepend=last))
        heads = [b"%d:" % (movie + 1) for movie in part.major[starts].tolist()]
        together = np.insert(np.array(lines, dtype=object), starts, heads)
        last = int(part.major[-1])
        yield _Chunk(b"\n".join(together.tolist()) + b"\n", part.loss)


@dataclass(frozen=True)
class _Ratings:
    major: np.ndarray
    minor: np.ndarray
    rating: np.ndarray
    time: np.ndarray
    loss: float


def _ratings(rows: int, majors: int, minors: int, seed: int) -> Iterator[_Ratings]:
    """Yields ratings of pairs, each pair once, in the order of the first part of the pair."""
    random = np.random.default_rng([seed, 0])
    counts = _shares(rows, majors, minors)
    ends = np.cumsum(counts)
    strides = random.integers(1, minors, majors)
    offsets = random.integers(0, minors, majors)
    biases = [random.normal(0, 0.4, size) for size in (majors, minors)]
    factors = [random.normal(0, 0.5, (size, FACTORS)) for size in (majors, minors)]
    for start in range(0, rows, CHUNK_ROWS):
        noise = np.random.default_rng([seed, 2, start])
        row = np.arange(start, min(start + CHUNK_ROWS, rows))
        major = np.searchsorted(ends, row, side="right")
        rank = row - (ends[major] - counts[major])
        minor = (offsets[major] + rank * strides[major]) % minors  # minors is prime: no pair twice
        score = 3.6 + biases[0][major] + biases[1][minor]
        score += (factors[0][major] * factors[1][minor]).sum(axis=1)
        rating = np.clip(np.rint(score + noise.normal(0, NOISE, len(row))), 1, 5).astype(np.int64)
        time = noise.integers(0, 180_000_000, len(row))
        yield _Ratings(major, minor, rating, time, float(rating_variance(score).sum()))


def rating_variance(score: np.ndarray) -> np.ndarray:
    """Computes the variance of each rating given its score, which no model can predict."""
    from scipy.special import ndtr

    edges = ndtr((np.array([1.5, 2.5, 3.5, 4.5]) - score[:, None]) / NOISE)
    shares = np.diff(edges, axis=1, prepend=0.0, append=1.0)
    steps = np.arange(1.0, 6.0)
    variance: np.ndarray = shares @ steps**2 - (shares @ steps) ** 2
    return variance


def _shares(rows: int, majors: int, most: int) -> np.ndarray:
    """Divides rows among `majors`: a few get many rows, but none more than `most`."""
    weights = np.arange(1, majors + 1) ** -0.5
    counts: np.ndarray = np.minimum((weights / weights.sum() * rows).astype(np.int64), most)
    while left := rows - int(counts.sum()):
        room = np.flatnonzero(counts < most)[:left]
        counts[room] += np.minimum(max(left // len(room), 1), most - counts[room])
    return counts


def _prime(least: int) -> int:
    """Returns the smallest prime number that is at least `least`."""
    while any(least % divisor == 0 for divisor in range(2, int(least**0.5) + 1)):
        least += 1
    return least


_AVAZU_SIZES = {
    "C1": 7, "banner_pos": 7, "site_id": 4000, "site_domain": 6000, "site_category": 25,
    "app_id": 7000, "app_domain": 500, "app_category": 35, "device_id": 200_000,
    "device_ip": 500_000, "device_model": 7000, "device_type": 5, "device_conn_type": 4,
    "C14": 2500, "C15": 8, "C16": 9, "C17": 430, "C18": 4, "C19": 68, "C20": 170, "C21": 60,
}  # fmt: skip
_CRITEO_SIZES = (
    1460, 580, 500_000, 300_000, 305, 24, 12_000, 630, 3, 90_000, 5600, 450_000, 3200, 27,
    14_000, 400_000, 10, 5600, 2100, 4, 420_000, 18, 15, 200_000, 100, 90_000,
)  # fmt: skip


def _avazu(rows: int, seed: int) -> Iterator[_Chunk]:
    clicks = _Clicks(_AVAZU_SIZES, rows, seed, rate=0.17)
    names = [name for name in _AVAZU_SIZES if not name.startswith("C")]
    yield _Chunk(f"id,click,hour,{','.join(_AVAZU_SIZES)}\n".encode(), 0.0)
    for start in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - start)
        ids, logit, random = clicks.chunk(start, count)
        label, loss = _clicked(logit, random)
        hour = 14_102_100 + random.integers(0, 10, count) * 100 + random.integers(0, 24, count)
        columns: dict[str, object] = {
            "id": 10**18 + np.arange(start, start + count),
            "click": label,
            "hour": hour,
        }
        for name in _AVAZU_SIZES:
            columns[name] = clicks.texts(name).take(ids[name]) if name in names else ids[name]
        yield _Chunk(_text(columns, ","), loss)


def _criteo(rows: int, seed: int) -> Iterator[_Chunk]:
    sizes = {f"C{place}": size for place, size in enumerate(_CRITEO_SIZES, start=1)}
    clicks = _Clicks(sizes, rows, seed, rate=0.256)
    weights = np.random.default_rng([seed, 3]).normal(0, 0.15, 13)
    for start in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - start)
        ids, logit, random = clicks.chunk(start, count)
        numbers = np.floor(random.lognormal(1.5, 1.5, (count, 13))).astype(np.int64)
        numbers[:, 1] -= 3  # the second column has negative numbers
        logit += (np.sign(numbers) * np.log1p(np.abs(numbers)) - 1.5) @ weights
        gaps = random.random((count, 13)) < np.linspace(0.0, 0.45, 13)
        label, loss = _clicked(logit, random)
        columns: dict[str, object] = {"label": label}
        for place in range(13):
            columns[f"I{place + 1}"] = pa.array(numbers[:, place], mask=gaps[:, place])
        for name in sizes:
            gap = pa.array(ids[name], mask=random.random(count) < 0.03)
            columns[name] = clicks.texts(name).take(gap)
        yield _Chunk(_text(columns, "\t"), loss)


class _Clicks:
    """Categories with skewed frequencies, their effects, and an effect of pairs of two columns."""

    def __init__(self, sizes: Mapping[str, int], rows: int, seed: int, rate: float) -> None:
        random = np.random.default_rng([seed, 0])
        # As in real data, a vocabulary grows with the rows, up to its size.
        self._sizes = {name: max(2, min(size, rows // 2)) for name, size in sizes.items()}
        spread = 1.2 / np.sqrt(len(sizes))
        self._effects = {name: random.normal(0, spread, size) for name, size in self._sizes.items()}
        self._pair = tuple(list(sizes)[:2])
        self._vectors = [random.normal(0, 0.5, (self._sizes[one], FACTORS)) for one in self._pair]
        self._texts: dict[str, pa.Array] = {}
        self._seed = seed
        self._bias = float(np.log(rate / (1 - rate)))

    def chunk(
        self, start: int, count: int
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.random.Generator]:
        """Draws ids by column and the log-odds of a click, and returns the generator too."""
        random = np.random.default_rng([self._seed, 2, start])
        ids = {
            name: (random.random(count) ** 4 * size).astype(np.int64)
            for name, size in self._sizes.items()
        }
        logit = self._bias + sum(self._effects[name][ids[name]] for name in ids)
        left, right = (
            vectors[ids[name]] for name, vectors in zip(self._pair, self._vectors, strict=True)
        )
        return ids, logit + (left * right).sum(axis=1), random

    def texts(self, name: str) -> pa.Array:
        """Returns the text of each category: eight hexadecimal digits."""
        if name not in self._texts:
            salt = sum(name.encode()) * 40_503
            codes = (np.arange(self._sizes[name]) * 2_654_435_761 + salt) % 2**32
            self._texts[name] = pa.array([f"{code:08x}" for code in codes.tolist()])
        return self._texts[name]


def _clicked(logit: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Draws clicks from log-odds, and returns them and the entropy given the log-odds."""
    chance = 1 / (1 + np.exp(-logit))
    label = (random.random(len(logit)) < chance).astype(np.int64)
    entropy = -(chance * np.log(chance) + (1 - chance) * np.log1p(-chance))
    return label, float(entropy.sum())


def _text(columns: Mapping[str, object], separator: str) -> bytes:
    """Writes columns as lines of text; missing values are empty."""
    out = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(
        include_header=False, delimiter=separator, quoting_style="none"
    )
    pyarrow.csv.write_csv(pa.table(dict(columns)), out, options)
    return bytes(out.getvalue().to_pybytes())


_WRITERS: dict[str, Callable[[int, int], Iterator[_Chunk]]] = {
    "movielens": _movielens,
    "netflix": _netflix,
    "avazu": _avazu,
    "criteo": _criteo,
}
