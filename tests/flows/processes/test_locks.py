"""Runs meet, wait, leave, die: held by locks that the system frees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from project import ROOT

from flows.processes.locks import (
    OccupiedError,
    Presence,
    at_work,
    exclusive,
    take_leave_of_the_dead,
)

OTHER = """
import sys, time
from pathlib import Path
from flows.processes.locks import Presence, at_work, exclusive
root, me = Path(sys.argv[1]), Presence.here("other-id", "other")
with at_work(root, me), exclusive(root, "ratings", me, on_busy="leave", say=print):
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that is at work on the data set `ratings`."""
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
    return Presence.here("my-id", "mine")


def test_a_run_leaves_a_busy_data_set_and_says_to_whom(tmp_path, me, other):
    with (
        pytest.raises(OccupiedError, match=rf"run 'other' \(process {other.pid} on .*leaves"),
        exclusive(tmp_path, "ratings", me, on_busy="leave", say=print),
    ):
        pass


def test_another_data_set_is_free(tmp_path, me, other):
    with exclusive(tmp_path, "clicks", me, on_busy="leave", say=print):
        pass


def test_a_run_waits_says_so_once_and_goes_on_when_the_other_is_killed(tmp_path, me, other):
    said: list[str] = []

    def kill_it_once_heard(line: str) -> None:
        said.append(line)
        os.kill(other.pid, signal.SIGKILL)

    with exclusive(tmp_path, "ratings", me, on_busy="wait", say=kill_it_once_heard):
        pass

    assert len(said) == 1
    assert said[0].startswith("Waiting: run 'other'")


def test_the_living_are_not_taken_for_dead(tmp_path, other, me):
    found: list[Presence] = []

    with at_work(tmp_path, me):
        take_leave_of_the_dead(tmp_path, lambda dead: found.append(dead) or True)

    assert found == []


def test_a_killed_run_is_found_until_somebody_has_told_of_it(tmp_path, other):
    found: list[str] = []
    os.kill(other.pid, signal.SIGKILL)
    other.wait()

    take_leave_of_the_dead(tmp_path, lambda dead: bool(found.append(dead.run)))
    take_leave_of_the_dead(tmp_path, lambda dead: found.append(dead.run) or True)
    take_leave_of_the_dead(tmp_path, lambda dead: found.append(dead.run) or True)

    assert found == ["other-id", "other-id"]


def test_a_run_that_ends_well_leaves_nothing_to_find(tmp_path, me):
    found: list[Presence] = []
    with at_work(tmp_path, me):
        pass

    take_leave_of_the_dead(tmp_path, lambda dead: found.append(dead) or True)

    assert found == []
    assert list((tmp_path / ".autorec" / "runs").iterdir()) == []
