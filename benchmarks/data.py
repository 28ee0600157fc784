"""Measures the cost of preparing and checking data, on synthetic rows in public formats.

    python benchmarks/data.py [STEP ...]

Steps: `prepare` (against FuxiCTR's encoding, in an environment of its own), `memory` (5 M rows
against 1 M), `netflix` (10 M ratings), `checks` (data checks against `prepare`), `dask` (2 workers
against 1). Each measured function runs in a process of its own. Figures are written to
`results/data.json`. Functions that are compared run in turn, and the median of the pairs counts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from autorec_core.data.synthetic.generator import generate
from autorec_core.files import write_json
from flows.config import Params

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "data.json"
CACHE = Path(tempfile.gettempdir()) / "autorec-benchmark-data"
MILLION = 1_000_000
# FuxiCTR calls functions that polars 2 has removed.
FUXICTR = ("fuxictr==2.3.10", "torch==2.13.0", "polars<2")


def main(steps: list[str]) -> None:
    CACHE.mkdir(exist_ok=True)
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for step in steps or list(STEPS):
        found[step] = STEPS[step]()
        print(step, json.dumps(found[step], indent=2))
        found["machine"] = {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[1],
        }
        found["command"] = "python benchmarks/data.py"
        write_json(RESULTS, found)


def rows_of(form: str, rows: int) -> Path:
    """Returns a file of synthetic rows, which is generated only once."""
    path = CACHE / f"{form}-{rows}"
    if not path.exists():
        generate(form, rows, path, seed=13)
    return path


def in_own_process(work: Any, *arguments: Any) -> dict[str, float]:
    """Runs a function in a process of its own; returns its seconds and peak memory."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(queue, work, arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{work.__name__} ended with {process.exitcode}")
    return queue.get()


def _measured(queue: Any, work: Any, arguments: tuple[Any, ...]) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    more = work(*arguments) or {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    queue.put({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak, **more})


def full_entry(name: str) -> Any:
    """Returns an entry without a sample, and without facts on the number of rows and the mean."""
    entry = Params.load(ROOT / "params.yaml").dataset(name)
    facts = entry.facts.model_copy(update={"min_rows": 1, "label_mean": None})
    return entry.model_copy(update={"sample": None, "facts": facts})


def prepare_rows(name: str, rows: int, out: Path, address: str | None = None) -> dict[str, float]:
    from autorec_core.data.compute import compute_at
    from autorec_core.data.preparing.prepare import prepare

    params, entry = Params.load(ROOT / "params.yaml"), full_entry(name)
    raw = rows_of(name, rows)
    if address:
        import distributed  # noqa: F401
    # Imports and settings are not measured, here and in FuxiCTR's script.
    start, cpu = time.perf_counter(), time.process_time()
    with compute_at(address) as compute:
        prepare(entry, params.split, params.preprocess, params.seed, raw, out, compute)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
    }


def check_rows(name: str, rows: int, prepared: Path) -> dict[str, float]:
    from flows.data_checks.checks import check_raw, check_splits
    from flows.environment import prepare_environment

    prepare_environment()
    import great_expectations  # noqa: F401 - its import is not measured

    start, cpu = time.perf_counter(), time.process_time()
    places = prepared.parent
    entry = full_entry(name)
    raw = rows_of(name, rows)
    check_raw(name, entry, raw, places / "raw.json", places / "raw")
    check_splits(name, entry, prepared, places / "splits.json", places / "splits")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
    }


def against_fuxictr(pairs: int = 3) -> dict[str, Any]:
    rows_of("criteo", MILLION)
    python = _fuxictr_environment()
    folder = _fuxictr_input()
    ours, theirs = [], []
    for _ in range(pairs):
        shutil.rmtree(CACHE / "out", ignore_errors=True)
        ours.append(in_own_process(prepare_rows, "criteo", MILLION, CACHE / "out"))
        command = [python, Path(__file__).with_name("data_fuxictr.py"), folder, CACHE / "fuxictr"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CACHE)
        theirs.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        "rows": MILLION,
        "ours": ours,
        "fuxictr": theirs,
        "ours_rows_per_second": MILLION / _median(ours, "seconds"),
        "fuxictr_rows_per_second": MILLION / _median(theirs, "seconds"),
        "ratio": statistics.median(
            other["seconds"] / own["seconds"] for own, other in zip(ours, theirs, strict=True)
        ),
        "cpu_ratio": statistics.median(
            other["cpu_seconds"] / own["cpu_seconds"]
            for own, other in zip(ours, theirs, strict=True)
        ),
        "must": 1.5,
    }


def _median(figures: list[dict[str, float]], key: str) -> float:
    return statistics.median(one[key] for one in figures)


def _fuxictr_environment() -> Path:
    folder = CACHE / "fuxictr-environment"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *FUXICTR]
        subprocess.run(install, check=True)
    return python


def _fuxictr_input() -> Path:
    """Writes the same rows for FuxiCTR: three files with a header, already split."""
    folder = CACHE / "fuxictr-input"
    if not (folder / "test.csv").exists():
        folder.mkdir(exist_ok=True)
        head = ",".join(full_entry("criteo").format.columns) + "\n"
        parts = np.random.default_rng(13).choice(3, MILLION, p=[0.8, 0.1, 0.1])
        lines = rows_of("criteo", MILLION).read_text().replace("\t", ",").split("\n")[:-1]
        for number, part in enumerate(("train", "valid", "test")):
            kept = [lines[at] for at in np.flatnonzero(parts == number).tolist()]
            (folder / f"{part}.csv").write_text(head + "\n".join(kept) + "\n")
    return folder


def memory_growth() -> dict[str, Any]:
    peaks = {}
    for rows in (MILLION, 5 * MILLION):
        rows_of("criteo", rows)
        shutil.rmtree(CACHE / "out", ignore_errors=True)
        peaks[rows] = in_own_process(prepare_rows, "criteo", rows, CACHE / "out")
    ratio = peaks[5 * MILLION]["peak_bytes"] / peaks[MILLION]["peak_bytes"]
    return {"1M": peaks[MILLION], "5M": peaks[5 * MILLION], "ratio": ratio, "must": 1.3}


def netflix() -> dict[str, Any]:
    rows_of("netflix", 10 * MILLION)
    shutil.rmtree(CACHE / "out", ignore_errors=True)
    found = in_own_process(prepare_rows, "netflix", 10 * MILLION, CACHE / "out")
    return {"rows": 10 * MILLION, **found, "must_peak_bytes": 2 * 2**30}


def checks(pairs: int = 3) -> dict[str, Any]:
    rows_of("criteo", MILLION)
    prepared, checked = [], []
    for _ in range(pairs):
        shutil.rmtree(CACHE / "out", ignore_errors=True)
        prepared.append(in_own_process(prepare_rows, "criteo", MILLION, CACHE / "out"))
        checked.append(in_own_process(check_rows, "criteo", MILLION, CACHE / "out"))
    shares = [a["seconds"] / b["seconds"] for a, b in zip(checked, prepared, strict=True)]
    cpu = [a["cpu_seconds"] / b["cpu_seconds"] for a, b in zip(checked, prepared, strict=True)]
    return {
        "rows": MILLION,
        "prepare": prepared,
        "checks": checked,
        "share": statistics.median(shares),
        "cpu_share": statistics.median(cpu),
        "must": 0.5,
    }


def dask(pairs: int = 3) -> dict[str, Any]:
    rows_of("criteo", MILLION)
    runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in range(pairs):
        for workers, found in runs.items():
            found.append(_on_workers(workers))
    ratios = [one["seconds"] / two["seconds"] for one, two in zip(*runs.values(), strict=True)]
    return {
        "rows": MILLION,
        "workers": {str(workers): found for workers, found in runs.items()},
        "ratio": statistics.median(ratios),
        "must": 1.6,
    }


def _on_workers(workers: int) -> dict[str, float]:
    """Measures `prepare` on workers of one thread; returns times of workers and driver."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):
        _warm()  # the scheduler runs in this process
        client.run(_warm)
        before = client.run(time.process_time)
        shutil.rmtree(CACHE / "out", ignore_errors=True)
        address = cluster.scheduler_address
        done = in_own_process(prepare_rows, "criteo", MILLION, CACHE / "out", address)
        after = client.run(time.process_time)
    of_workers = [after[name] - before[name] for name in after]
    return {
        "seconds": done["seconds"],
        "driver_cpu_seconds": done["cpu_seconds"],
        "worker_cpu_seconds": sum(of_workers),
        "busiest_worker_cpu_seconds": max(of_workers),
    }


def _warm() -> None:
    """Imports the code in advance, so that the import is not measured."""
    import autorec_core.data.preparing.prepare  # noqa: F401


STEPS = {
    "prepare": against_fuxictr,
    "memory": memory_growth,
    "netflix": netflix,
    "checks": checks,
    "dask": dask,
}

if __name__ == "__main__":
    main(sys.argv[1:])
