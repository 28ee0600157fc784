"""Trials on a real Dask cluster: a scheduler and two worker processes on loopback."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from distributed import Client
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


class Cluster:
    """A scheduler and workers, each a process."""

    def __init__(self, folder):
        self._folder = folder
        self._scheduler = start(folder, "scheduler", "--host", "127.0.0.1", "--port", "0")
        self.workers = []
        while not (folder / "scheduler.json").exists():
            assert self._scheduler.poll() is None
            time.sleep(0.1)
        self.address = json.loads((folder / "scheduler.json").read_text())["address"]

    def grow(self):
        """Starts one more worker, and waits until the scheduler knows it."""
        worker = ("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
        self.workers.append(start(self._folder, *worker))
        alive = sum(worker.poll() is None for worker in self.workers)
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(alive)

    def close(self):
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.close()


class Killing(Notes):
    """Kills the cluster's first worker when the first trial has been evaluated once."""

    def __init__(self, cluster, *, replaced=False):
        super().__init__()
        self._cluster = cluster
        self._replaced = replaced

    def on_epoch(self, trial, row):
        super().on_epoch(trial, row)
        if self._replaced and len(self._cluster.workers) == 1:
            self._cluster.grow()
        self._cluster.workers[0].send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_cluster_finds_what_local_workers_find_even_when_a_worker_dies(search, cluster, tmp_path):
    cluster.grow()
    cluster.grow()
    notes = Killing(cluster)
    on_cluster = search(address=cluster.address, workers=2, max_trials=4, listener=notes)
    local = search(workers=1, max_trials=4, directory=tmp_path / "local")

    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert {t.number: t.score for t in on_cluster.leaderboard} == {
        t.number: t.score for t in local.leaderboard
    }
    assert sorted(notes.rows) == [(trial, step) for trial in range(4) for step in (1, 2)]
    assert on_cluster.load_model().count_params() == local.load_model().count_params()


@pytest.mark.slow
def test_rows_that_were_on_a_dead_worker_alone_are_sent_again(search, cluster):
    cluster.grow()
    notes = Killing(cluster, replaced=True)
    result = search(address=cluster.address, workers=1, max_trials=2, listener=notes)

    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert [trial.status for trial in result.leaderboard] == ["completed", "completed"]


@pytest.mark.slow
def test_a_search_whose_workers_are_all_gone_stops_and_can_be_resumed(search, cluster, monkeypatch):
    monkeypatch.setattr("autorec_core.cluster.WORKER_SECONDS", 2)
    cluster.grow()
    with pytest.raises(UnreachableError, match=r"has lost its scheduler or all of its workers\."):
        search(address=cluster.address, workers=1, max_trials=2, listener=Killing(cluster))

    result = search(workers=0, max_trials=2)
    assert [trial.status for trial in result.leaderboard] == ["completed", "completed"]


def test_a_cluster_that_does_not_answer_is_named(search, monkeypatch):
    monkeypatch.setattr("autorec_core.cluster.ANSWER_SECONDS", 0.5)
    with pytest.raises(UnreachableError, match=r"answers at tcp://127\.0\.0\.1:9 "):
        search(address="tcp://127.0.0.1:9", workers=None)
