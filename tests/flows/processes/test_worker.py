"""A worker that is asked to stop waits a while for running runs."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from flows.processes.worker import stop_runs, wait_for_runs

WORKER = """
import subprocess, sys, time
run = subprocess.Popen(["sleep", sys.argv[1]])
print("up", flush=True)
run.wait()
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("run_seconds", "patience", "waited"),
    [(2, 60, (0.5, 40)), (60, 1, (0.9, 20)), (0, 60, (0, 40))],
)
def test_a_run_in_progress_is_waited_for_and_no_longer_than_it_may(run_seconds, patience, waited):
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(run_seconds)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "up\n"
        began = time.monotonic()

        wait_for_runs(worker.pid, patience)

        assert waited[0] <= time.monotonic() - began < waited[1]
        for process in (*psutil.Process(worker.pid).children(), worker):
            process.kill()


REPORTING = """
import pathlib, signal, sys, time
def report(*_):
    time.sleep(1)
    pathlib.Path(sys.argv[1]).write_text("crashed")
    sys.exit(1)
signal.signal(signal.SIGTERM, report)
pathlib.Path(sys.argv[1]).write_text("running")
time.sleep(60)
"""


def test_a_run_that_is_stopped_has_time_to_report_it(tmp_path):
    said = tmp_path / "state"
    run = [sys.executable, "-c", REPORTING, str(said)]
    starting = f"import subprocess, time; subprocess.run({run!r}); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", starting]) as worker:
        while not said.exists() or said.read_text() != "running":
            time.sleep(0.05)

        stop_runs(worker.pid, 60)

        assert said.read_text() == "crashed"
        assert worker.poll() is None  # the worker reports too, so it outlives its runs
        worker.kill()


def test_a_worker_that_is_gone_is_not_waited_for():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    began = time.monotonic()

    wait_for_runs(gone.pid, 60)

    assert time.monotonic() - began < 20
