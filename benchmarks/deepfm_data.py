"""Synthetic clicks for speed runs, with Zipf-distributed ids like those of real click logs.

Imports only NumPy, because it also runs in the environment of another library.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

FIELDS, NUMBERS, DIM, UNITS, BATCH = 26, 13, 16, 128, 1024
TURN_SECONDS = 8.0


def clicks(rows: int, ids: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Returns ids (rows, 26), numbers (rows, 13), labels, and the number of ids in each field."""
    generator = np.random.default_rng(seed)
    each = ids // FIELDS
    categorical = ((generator.zipf(1.3, (rows, FIELDS)) - 1) % each).astype(np.int32)
    numeric = generator.normal(size=(rows, NUMBERS)).astype(np.float32)
    chance = 1 / (1 + np.exp(1 - numeric[:, 0] - (categorical[:, 0] % 3)))
    labels = (generator.random(rows) < chance).astype(np.float32)
    return categorical, numeric, labels, each


def serve(train: Callable[[], object], rows: int) -> None:
    """Trains once to warm up; then trains for each line on stdin and prints the speed.

    All contestants train for the same time. On a busy machine, one with a shorter turn would get
    more than its share of the processors.
    """
    train()
    print("ready", flush=True)
    for _ in sys.stdin:
        times, began, busy = 0, time.perf_counter(), _processor_seconds()
        while time.perf_counter() - began < TURN_SECONDS:
            train()
            times += 1
        speed = times * rows / (time.perf_counter() - began)
        by_processor = times * rows / (_processor_seconds() - busy)
        print(json.dumps({"per_s": speed, "per_processor_s": by_processor}), flush=True)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
