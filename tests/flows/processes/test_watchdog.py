"""What a run starts for itself does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from project import ROOT

STARTER = """
import subprocess, sys
lifeline = [sys.executable, "-m", "flows.processes.watchdog", sys.executable, "-c"]
held = subprocess.Popen([*lifeline, sys.argv[1]], stdin=subprocess.PIPE)
sys.stdin.read()
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(300)"
)
POLITE = "import time; print('up', flush=True); time.sleep(300)"


@pytest.mark.slow
@pytest.mark.parametrize("command", [POLITE, STUBBORN], ids=["polite", "stubborn"])
@pytest.mark.parametrize("how", ["killed", "terminated with all its group", "done"])
def test_a_command_ends_with_its_starter(command, how):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    family = psutil.Process(starter.pid).children(recursive=True)
    assert len(family) == 2

    if how == "killed":
        os.kill(starter.pid, signal.SIGKILL)
    elif how != "done":  # as `timeout` and job runners end a command
        os.killpg(starter.pid, signal.SIGTERM)
    assert starter.stdin is not None
    starter.stdin.close()
    starter.wait()

    deadline = time.monotonic() + 60
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    starter.stdout.close()


def test_its_code_is_the_commands():
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flows.processes.watchdog",
            sys.executable,
            "-c",
            "raise SystemExit(7)",
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
    )

    assert process.wait() == 7
    process.communicate()
