"""Trials on a real Dask cluster: a scheduler and two worker processes on loopback."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from small_searches import Notes

from autorec_core.errors import UnreachableError

DASK = [sys.executable, "-m", "dask"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(folder, *arguments):
    return subprocess.Popen(
        [*DASK, *arguments, "--no-dashboard", "--scheduler-file", str(folder / "scheduler.json")],
        env=ENVIRONMENT,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def dask(tmp_path):
    """The scheduler's address and the two workers' processes."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    processes = [start(folder, "scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        while not (folder / "scheduler.json").exists():
            assert processes[0].poll() is None
            time.sleep(0.1)
        worker = ("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
        processes += [start(folder, *worker) for _ in range(2)]
        yield json.loads((folder / "scheduler.json").read_text())["address"], processes[1:]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


class Killing(Notes):
    """Kills a worker of the cluster when the first trial has been evaluated once."""

    def __init__(self, process):
        super().__init__()
        self._process = process

    def on_epoch(self, trial, row):
        super().on_epoch(trial, row)
        self._process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_cluster_finds_what_local_workers_find_even_when_a_worker_dies(search, dask, tmp_path):
    address, workers = dask
    notes = Killing(workers[0])
    on_cluster = search(address=address, workers=2, max_trials=4, listener=notes)
    local = search(workers=1, max_trials=4, directory=tmp_path / "local")

    assert workers[0].wait() == -signal.SIGKILL
    assert {t.number: t.score for t in on_cluster.leaderboard} == {
        t.number: t.score for t in local.leaderboard
    }
    assert sorted(notes.rows) == [(trial, step) for trial in range(4) for step in (1, 2)]
    assert on_cluster.load_model().count_params() == local.load_model().count_params()


def test_a_cluster_that_does_not_answer_is_named(search, monkeypatch):
    monkeypatch.setattr("autorec_core.cluster.ANSWER_SECONDS", 0.5)
    with pytest.raises(UnreachableError, match=r"answers at tcp://127\.0\.0\.1:9 "):
        search(address="tcp://127.0.0.1:9", workers=None)
