"""Measures the memory of the searching process after 3 trials and after 30."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from search_movielens import autorec_rp

from autorec_core.search import Listener, SearchSettings, TrialRecord, run_search
from autorec_core.training import Budget, Rows


class Memory(Listener):
    """A listener that records the memory of the process after each trial, in MiB."""

    def __init__(self) -> None:
        self.held: list[float] = []

    def on_trial_end(self, trial: TrialRecord) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.held.append(pages * resource.getpagesize() / 2**20)


def main() -> None:
    generator = np.random.default_rng(1)
    train, valid = (
        Rows(
            {"ids": generator.integers(0, 900, (number, 2)).astype(np.int32)},
            generator.normal(size=number).astype(np.float32),
        )
        for number in (20_000, 2_000)
    )
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder:
        run_search(
            autorec_rp(900, 900),
            train,
            valid,
            SearchSettings(max_trials=30, budget=Budget(epochs=1, patience=1), seed=1),
            directory=Path(folder),
            listener=memory,
        )
    print(
        json.dumps(
            {"after_3_mb": round(memory.held[2], 1), "after_30_mb": round(memory.held[29], 1)}
        )
    )


if __name__ == "__main__":
    main()
