"""Locks of runs: wait for a busy data set, stop, and find dead runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest
from project import ROOT

from flows.processes import locks
from flows.processes.locks import (
    DataSetBusyError,
    RunProcess,
    exclusive,
    find_dead_runs,
    hold_run_lock,
    unchanged,
)

OTHER = """
import sys, time
from pathlib import Path
from flows.processes.locks import RunProcess, hold_run_lock, exclusive
root, me = Path(sys.argv[1]), RunProcess.current("other-id", "other")
with hold_run_lock(root, me), exclusive(root, "ratings", me, on_busy="leave", say=print):
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that builds the data set `ratings`."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        stream.close()


@pytest.fixture
def me():
    return RunProcess.current("my-id", "mine")


def test_a_run_stops_at_a_busy_data_set_and_names_the_other_run(tmp_path, me, other):
    with (
        pytest.raises(DataSetBusyError, match=rf"run 'other' \(process {other.pid} on .*stops"),
        exclusive(tmp_path, "ratings", me, on_busy="leave", say=print),
    ):
        pass


def test_another_data_set_is_free(tmp_path, me, other):
    with exclusive(tmp_path, "clicks", me, on_busy="leave", say=print):
        pass


def test_a_run_waits_with_one_message_until_the_other_run_is_killed(tmp_path, me, other):
    messages: list[str] = []

    def kill_other(line: str) -> None:
        messages.append(line)
        os.kill(other.pid, signal.SIGKILL)

    with exclusive(tmp_path, "ratings", me, on_busy="wait", say=kill_other):
        pass

    assert len(messages) == 1
    assert messages[0].startswith("Waiting: run 'other'")


def test_a_reader_waits_until_the_run_that_builds_has_ended(tmp_path, other):
    messages: list[str] = []

    def kill_other(line: str) -> None:
        messages.append(line)
        os.kill(other.pid, signal.SIGKILL)

    with unchanged(tmp_path, "ratings", say=kill_other):
        pass

    assert len(messages) == 1
    assert messages[0].startswith("Waiting: run 'other'")


def test_readers_do_not_wait_for_each_other_nor_for_another_data_set(tmp_path, other):
    with (
        unchanged(tmp_path, "clicks", say=pytest.fail),
        unchanged(tmp_path, "clicks", say=pytest.fail),
    ):
        pass


@pytest.mark.parametrize("on_busy", ["wait", "leave"])
def test_a_run_waits_for_a_reader_and_does_not_leave(tmp_path, me, monkeypatch, on_busy):
    with exclusive(tmp_path, "ratings", me, on_busy="leave", say=print):
        pass
    reading = ExitStack()
    reading.enter_context(unchanged(tmp_path, "ratings", say=pytest.fail))
    monkeypatch.setattr(locks.time, "sleep", lambda _: reading.close())

    with exclusive(tmp_path, "ratings", me, on_busy=on_busy, say=pytest.fail):
        pass


def test_a_running_run_is_not_reported_as_dead(tmp_path, other, me):
    found: list[RunProcess] = []

    with hold_run_lock(tmp_path, me):
        find_dead_runs(tmp_path, lambda dead: found.append(dead) or True)

    assert found == []


def test_a_killed_run_is_found_until_it_was_handled(tmp_path, other):
    found: list[str] = []
    os.kill(other.pid, signal.SIGKILL)
    other.wait()

    find_dead_runs(tmp_path, lambda dead: bool(found.append(dead.run)))
    find_dead_runs(tmp_path, lambda dead: found.append(dead.run) or True)
    find_dead_runs(tmp_path, lambda dead: found.append(dead.run) or True)

    assert found == ["other-id", "other-id"]


def test_a_run_that_ends_well_leaves_nothing_to_find(tmp_path, me):
    found: list[RunProcess] = []
    with hold_run_lock(tmp_path, me):
        pass

    find_dead_runs(tmp_path, lambda dead: found.append(dead) or True)

    assert found == []
    assert list((tmp_path / ".autorec" / "runs").iterdir()) == []
