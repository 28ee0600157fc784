"""Smoke test, scoring and latency of registered versions, each in its own clean process."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.errors import DataError
from flows.registry.clean_process import CleanProcess
from flows.registry.guards import Latency
from flows.registry.versions import RegistryError, Version

CHUNK = 100_000
PAIRS = 15
"""Number of paired measurements of two models' latencies."""
CALLS, WARM_UP_CALLS = 7, 20
"""Number of rows scored one by one for a measurement, and to warm up."""


@dataclass(frozen=True)
class Probed:
    """A version that passed its smoke test in a clean process, which runs until it is closed.

    Args:
        scores: Its scores of the given rows, float64, shape (rows,).
        milliseconds: Returns the median time in milliseconds of the given number of calls with one
            row each.
        close: Ends the process.
    """

    scores: np.ndarray
    milliseconds: Callable[[int], float]
    close: Callable[[], object] = lambda: None


def smoke_test(version: Version, rows: pd.DataFrame | None = None, root: Path = Path()) -> Probed:
    """Loads a version in a clean process and checks that it scores its example as recorded.

    Args:
        version: The version.
        rows: Raw rows to score as well, or None.
        root: The workspace.

    Raises:
        RegistryError: It does not load, its files are not those registered, or its scores differ.
    """
    try:
        process = CleanProcess(version, root)
        try:
            return _probed(process, rows)
        except BaseException:
            process.close()
            raise
    except (RegistryError, DataError) as error:
        number = version.number
        raise RegistryError(f"Version {number} fails its smoke test: {error}") from error


def _probed(process: CleanProcess, rows: pd.DataFrame | None) -> Probed:
    example = process.example()
    found, recorded = example["scores"], example["recorded"]
    same_length = len(found) == len(recorded)
    if not (same_length and np.allclose(found, recorded, rtol=1e-5, atol=1e-6)):
        raise RegistryError(f"the scores of its example are {found}, not {recorded}.")
    scores = np.zeros(0) if rows is None else _score(process, rows)
    return Probed(scores, process.milliseconds, process.close)


def latency_in_turn(champion: Probed, challenger: Probed) -> Latency:
    """Measures the latency of both models alternately, so that a busy machine slows both equally.

    The ratio is the median over pairs of consecutive measurements, with the champion first in every
    second pair. A pair that was disturbed therefore hardly changes it.
    """
    try:
        for version in (champion, challenger):
            version.milliseconds(WARM_UP_CALLS)
        pairs = []
        for turn in range(PAIRS):
            order = (champion, challenger) if turn % 2 else (challenger, champion)
            times = [version.milliseconds(CALLS) for version in order]
            pairs.append(times if turn % 2 else times[::-1])
    except RegistryError as error:
        return Latency(float("nan"), float("nan"), 0, f"it could not be measured: {error}")
    ratio = statistics.median(after / before for before, after in pairs)
    return Latency(statistics.median(before for before, _ in pairs), ratio, PAIRS)


def _score(process: CleanProcess, rows: pd.DataFrame) -> np.ndarray:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    starts = range(0, table.num_rows, CHUNK)
    parts = [process.score(table.slice(start, CHUNK)).astype(np.float64) for start in starts]
    return np.concatenate(parts) if parts else np.zeros(0)
