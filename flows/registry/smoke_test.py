"""The smoke test and the scoring of registered versions, each in a clean process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.errors import DataError
from flows.registry.clean_process import CleanProcess, clean_process
from flows.registry.versions import RegistryError, Version

CHUNK = 100_000


@dataclass(frozen=True)
class Probed:
    """What a version did in a clean process.

    Args:
        scores: Its scores of the rows it was given, float64, shape (rows,).
        latency: Median milliseconds for one row.
    """

    scores: np.ndarray
    latency: float


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
        with clean_process(version, root) as process:
            example = process.example()
            found, recorded = example["scores"], example["recorded"]
            alike = len(found) == len(recorded)
            if not (alike and np.allclose(found, recorded, rtol=1e-5, atol=1e-6)):
                raise RegistryError(f"it scores its example {found}, not {recorded}.")
            scores = np.zeros(0) if rows is None else _score(process, rows)
            return Probed(scores, example["milliseconds"])
    except (RegistryError, DataError) as error:
        number = version.number
        raise RegistryError(f"Version {number} does not pass its smoke test: {error}") from error


def _score(process: CleanProcess, rows: pd.DataFrame) -> np.ndarray:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    starts = range(0, table.num_rows, CHUNK)
    parts = [process.score(table.slice(start, CHUNK)).astype(np.float64) for start in starts]
    return np.concatenate(parts) if parts else np.zeros(0)
