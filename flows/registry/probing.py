"""The smoke test and the scoring of registered versions, each in a clean process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.errors import DataError
from autorec_core.scorer import MANIFEST, Scorer
from flows.registry import probe
from flows.registry.store import RegistryError, Version, client, model_uri


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
    import mlflow

    registered = fingerprint_of(version)
    client(root)
    uri = model_uri(version.dataset, version.number)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        example = _example(uri)
        (folder / probe.EXAMPLE).write_text(json.dumps(example), encoding="utf-8")
        if rows is not None:
            pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / probe.ROWS)
        done = subprocess.run(
            [
                *(sys.executable, "-I", "-B", probe.__file__),
                *(uri, registered, place),
            ],
            # Anybody on the machine sees a process's arguments; the store's address may be secret.
            env={
                **os.environ,
                "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
                "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri(),
                "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise RegistryError(f"{uri} does not pass its smoke test: {last}")
        report = json.loads((folder / probe.REPORT).read_text(encoding="utf-8"))
        scores = np.zeros(0) if rows is None else np.load(folder / probe.SCORES, allow_pickle=False)
    return Probed(scores, report["latency_ms"])


def _example(uri: str) -> dict[str, object]:
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return (mlflow.models.get_model_info(uri).metadata or {})["example"]
    except (MlflowException, OSError, KeyError) as error:
        raise RegistryError(f"{uri} does not pass its smoke test: {error}") from error


def fingerprint_of(version: Version) -> str:
    """The hash that a version was registered with.

    Raises:
        RegistryError: It has none, so nothing of it can be trusted.
    """
    if "sha256" not in version.tags:
        uri = model_uri(version.dataset, version.number)
        raise RegistryError(f"{uri} was registered without a hash of its files; it is not loaded.")
    return version.tags["sha256"]


@contextmanager
def fetched(version: Version, root: Path = Path()) -> Iterator[Path]:
    """A copy of a version's files, held against the hash it was registered with.

    Raises:
        RegistryError: They are not to be had, or are not those that were registered.
    """
    from mlflow.exceptions import MlflowException

    client(root)
    uri = model_uri(version.dataset, version.number)
    with tempfile.TemporaryDirectory() as copy:
        try:
            folder = probe.fetch(uri, Path(copy), fingerprint_of(version))
        except (MlflowException, OSError, ValueError) as error:
            raise RegistryError(f"{uri} cannot be loaded: {error}.") from error
        yield folder


def load_scorer(version: Version, root: Path = Path()) -> Scorer:
    """The scorer of a version. No code of the model's is run, only AutoRec's own.

    Raises:
        RegistryError: Its files are not to be had, were altered, or are another AutoRec's.
    """
    with fetched(version, root) as folder:
        try:
            return Scorer.load(next((folder / "artifacts").glob(f"*/{MANIFEST}")).parent)
        except (DataError, StopIteration, TypeError, ValueError) as error:
            uri = model_uri(version.dataset, version.number)
            why = (str(error).splitlines() or ["it holds no scorer"])[0]
            commit = version.tags.get("git.commit", "unknown")[:8]
            raise RegistryError(
                f"{uri} cannot be loaded by this AutoRec: {why} It was made at commit {commit}, "
                "whose code travels with it: `mlflow models serve` runs it with that."
            ) from error
