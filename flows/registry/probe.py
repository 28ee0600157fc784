"""Loads a registered model in a clean process and lets it score rows: `python -I probe.py ...`.

It runs as a program of its own, so that a model made by an earlier AutoRec runs on the code that
travels with it, and nothing of the asking process leaks in. The environment names MLflow's store.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EXAMPLE, ROWS, SCORES, REPORT = "example.json", "rows.parquet", "scores.npy", "report.json"
CHUNK = 100_000
WARM_UP, TIMED = 10, 51
# What MLflow and Python themselves put beside a model's files.
FOREIGN = ("registered_model_meta", "__pycache__")


def fingerprint(folder: Path) -> str:
    """One SHA-256 over the names and contents of a model's files."""
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(files.items()):
        if path.is_file() and not any(part in FOREIGN for part in Path(name).parts):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def fetch(uri: str, folder: Path, expected: str) -> Path:
    """Copies a model's files into `folder`, held against the hash it was registered with.

    Raises:
        ValueError: They are not the files that were registered.
    """
    import mlflow

    got = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    for compiled in list(got.rglob("__pycache__")):
        shutil.rmtree(compiled)  # bytecode is run in place of the source, and has no hash
    if fingerprint(got) != expected:
        raise ValueError("its files are not those that were registered: the SHA-256 differs")
    return got


def main(uri: str, expected: str, place: str) -> None:
    """Loads, scores the example and the rows, measures one row's time, writes what was found."""
    import mlflow
    import numpy as np
    import pandas as pd

    folder = Path(place)
    with tempfile.TemporaryDirectory() as copy:
        model = mlflow.pyfunc.load_model(str(fetch(uri, Path(copy), expected)))
        example = json.loads((folder / EXAMPLE).read_text(encoding="utf-8"))
        rows = pd.DataFrame(example["rows"])
        found = np.asarray(model.predict(rows), dtype=float)
        if not np.allclose(found, example["scores"], rtol=1e-5, atol=1e-6):
            raise ValueError(f"it scores its example {found.tolist()}, not {example['scores']}")
        if (folder / ROWS).exists():
            np.save(folder / SCORES, _score(model, folder / ROWS), allow_pickle=False)
        report = {"latency_ms": _latency(model, rows.head(1))}
    (folder / REPORT).write_text(json.dumps(report), encoding="utf-8")


def _score(model: Any, path: Path) -> Any:
    import numpy as np
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        parts = [model.predict(batch.to_pandas()) for batch in file.iter_batches(CHUNK)]
    return np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in parts])


def _latency(model: Any, row: Any) -> float:
    seconds = []
    for _ in range(WARM_UP + TIMED):
        started = time.perf_counter()
        model.predict(row)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[WARM_UP:])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # whatever it is, it is the probe's answer
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
