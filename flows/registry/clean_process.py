"""Runs a registered version in a clean process, on the code that was registered with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autorec_core.errors import DataError
from flows.processes import model_process
from flows.registry.versions import RegistryError, Version, client, model_uri

_COMMAND = (sys.executable, "-I", "-B", model_process.__file__)


class EndedError(RegistryError):
    """The process of a version ended before it answered."""


def fingerprint_of(version: Version) -> str:
    """Returns the hash that a version was registered with.

    Raises:
        RegistryError: It has no hash, so its files cannot be trusted.
    """
    if "sha256" not in version.tags:
        uri = model_uri(version.dataset, version.number)
        raise RegistryError(
            f"{uri} was registered without a hash of its files, so it is not loaded."
        )
    return version.tags["sha256"]


class CleanProcess:
    """A version that scores rows in a separate process.

    The process downloads the version's files and compares them with their hash before it runs any
    code of them. It ends when this object is closed or garbage collected, or when this process ends
    or is killed.

    Args:
        version: The version.
        root: The workspace.

    Raises:
        RegistryError: It cannot be loaded, or its files are not those registered.
    """

    def __init__(self, version: Version, root: Path = Path()) -> None:
        registered = fingerprint_of(version)
        self.uri = model_uri(version.dataset, version.number)
        place = tempfile.mkdtemp(prefix="autorec-model-")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [*_COMMAND, self.uri, registered, str(os.getpid()), place],
            env=_environment(root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # errors come as answers
        )
        self.close = weakref.finalize(self, _end, self._process, place)
        try:
            about = json.loads(self._answer(model_process.READY))
        except BaseException:
            self.close()
            raise
        self.columns: list[str] = about["columns"]
        self.numeric = frozenset[str](about["numeric"])
        self.missing: list[str] = about["missing"]
        self.unknown_rate: Mapping[str, float] = about["unknown_rate"]

    def score(self, rows: pa.Table) -> np.ndarray:
        """Scores raw rows. Returns scores with the model's dtype, shape (rows,).

        Raises:
            DataError: A numeric column has a value that is not a number.
            RegistryError: The model fails, or its process has ended.
        """
        with pa.ipc.open_stream(
            self._ask(model_process.SCORE, model_process.stream_of(rows), model_process.SCORES)
        ) as stream:
            scores = stream.read_all()["score"].to_numpy()
        if len(scores) != rows.num_rows:
            raise RegistryError(f"{self.uri} gives {len(scores)} scores for {rows.num_rows} rows.")
        return scores

    def count_unknown(self, rows: pa.Table) -> Mapping[str, tuple[int, int]]:
        """Counts unknown ids. Returns (unknown, all) by column."""
        content = model_process.stream_of(rows)
        return json.loads(self._ask(model_process.UNKNOWN, content, model_process.DONE))

    def example(self) -> Mapping[str, Any]:
        """Scores the version's own example.

        Returns:
            `scores`, from MLflow's `predict`, and `recorded`, the scores at registration.
        """
        return json.loads(self._ask(model_process.EXAMPLE, b"", model_process.DONE))

    def milliseconds(self, calls: int) -> float:
        """Returns the median time to score one row in milliseconds, without communication."""
        return json.loads(
            self._ask(model_process.TIME, json.dumps(calls).encode(), model_process.DONE)
        )

    def export(self, folder: Path) -> None:
        """Exports the version for Keras and TensorFlow Serving; see `export_scorer`."""
        self._ask(
            model_process.EXPORT, json.dumps(str(folder.resolve())).encode(), model_process.DONE
        )

    def _ask(self, kind: bytes, content: bytes | memoryview, wanted: bytes) -> bytes:
        assert self._process.stdin is not None
        with self._lock:
            # If the process has ended, `_answer` raises EndedError.
            with suppress(BrokenPipeError, ValueError):
                model_process.send(self._process.stdin, kind, content)
            return self._answer(wanted)

    def _answer(self, wanted: bytes) -> bytes:
        assert self._process.stdout is not None
        frame = model_process.receive(self._process.stdout)
        if frame is None:
            raise EndedError(f"{self.uri}: {_end_text(self._process)}")
        kind, content = frame
        if kind == model_process.WRONG_ROWS:
            raise DataError(content.decode())
        if kind != wanted:
            raise RegistryError(f"{self.uri}: {content.decode().rstrip('.')}.")
        return content


@contextmanager
def clean_process(version: Version, root: Path = Path()) -> Iterator[CleanProcess]:
    """Yields a version in a separate process, which ends with the block."""
    process = CleanProcess(version, root)
    try:
        yield process
    finally:
        process.close()


def _environment(root: Path) -> dict[str, str]:
    """Returns the environment of the process.

    The store's URL may be secret. It is not an argument, because all users of the machine can see
    the arguments of a process.
    """
    import mlflow

    client(root)
    return {
        **os.environ,
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri(),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }


def _end_text(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process ended with code {code}"


def _end(process: subprocess.Popen[bytes], place: str) -> None:
    """Kills the process. It has nothing to save."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            pipe.close()  # type: ignore[union-attr]
    shutil.rmtree(place, ignore_errors=True)
