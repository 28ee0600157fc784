"""The smoke test and the scoring of registered versions, each in a clean process of its own."""

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
"""How often two models' latencies are measured, one right after the other."""
CALLS, WARM_UP_CALLS = 7, 20
"""Rows that are scored for one measurement, and before the first."""


@dataclass(frozen=True)
class Probed:
    """What a version did in a clean process, which waits until this is closed or dropped.

    Args:
        scores: Its scores of the rows it was given, float64, shape (rows,).
        milliseconds: Measures how long so many calls with one row take; gives their median.
        close: Ends the process.
    """

    scores: np.ndarray
    milliseconds: Callable[[int], float]
    close: Callable[[], object] = lambda: None


def smoke_test(version: Version, rows: pd.DataFrame | None = None, root: Path = Path()) -> Probed:
    """Loads a version by its URI in a clean process; it must score its own example as recorded.

    Args:
        version: The version.
        rows: Raw rows that it is to score as well.
        root: The workspace.

    Raises:
        RegistryError: It does not load, is not what was registered, or gives other numbers.
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
        raise RegistryError(f"Version {number} does not pass its smoke test: {error}") from error


def _probed(process: CleanProcess, rows: pd.DataFrame | None) -> Probed:
    example = process.example()
    found, recorded = example["scores"], example["recorded"]
    alike = len(found) == len(recorded)
    if not (alike and np.allclose(found, recorded, rtol=1e-5, atol=1e-6)):
        raise RegistryError(f"it scores its example {found}, not {recorded}.")
    scores = np.zeros(0) if rows is None else _score(process, rows)
    return Probed(scores, process.milliseconds, process.close)


def latency_in_turn(champion: Probed, challenger: Probed) -> Latency:
    """Measures both models' latency by turns, so that a busy machine slows both alike.

    The ratio is the median over pairs of measurements that follow each other at once, with the
    champion first in every other pair: a pair that was disturbed does not move it.
    """
    try:
        for one in (champion, challenger):
            one.milliseconds(WARM_UP_CALLS)
        pairs = []
        for turn in range(PAIRS):
            order = (champion, challenger) if turn % 2 else (challenger, champion)
            times = [one.milliseconds(CALLS) for one in order]
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
