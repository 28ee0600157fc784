"""Processes that a run starts end when the run ends or is killed."""

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
import os, sys
from flows.processes.watchdog import start
environment = {**os.environ, "PYTHONPATH": sys.argv[2]}
arguments, grace = ["an argument"], float(sys.argv[3])
held = start(sys.argv[1], arguments, environment=environment, grace_seconds=grace)
sys.stdin.read()
"""
BEGIN = "import os, signal, subprocess, sys, time; assert sys.argv[1:] == ['an argument'];"
UP = "print('up', flush=True); time.sleep(300)"
MODULES = {
    "polite": f"{BEGIN} {UP}",
    "stubborn": f"{BEGIN} signal.signal(signal.SIGTERM, signal.SIG_IGN); {UP}",
    "with_child": f"{BEGIN} subprocess.Popen(['sleep', '300']); {UP}",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "grace"), [("polite", 1), ("stubborn", 1), ("with_child", 0)], ids=list(MODULES)
)
@pytest.mark.parametrize(
    "how", ["killed", "killed with all its group", "terminated with all its group", "done"]
)
def test_a_module_ends_within_five_seconds_of_its_starter(tmp_path, module, grace, how):
    (tmp_path / f"{module}.py").write_text(MODULES[module], encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, module, f"{ROOT}{os.pathsep}{tmp_path}", str(grace)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        assert starter.stdout.readline() == "up\n"
        family = psutil.Process(starter.pid).children(recursive=True)
        assert family

        if how == "killed":
            os.kill(starter.pid, signal.SIGKILL)
        elif how == "killed with all its group":
            os.killpg(starter.pid, signal.SIGKILL)
        elif how != "done":  # as `timeout` and job runners end a command
            os.killpg(starter.pid, signal.SIGTERM)
        starter.stdin.close()
        starter.wait()
        ended = time.monotonic()
        while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family):
            assert time.monotonic() < ended + 5
            time.sleep(0.05)


@pytest.mark.slow
def test_an_open_copy_of_the_pipe_does_not_keep_it(tmp_path):
    """A process that the starter has forked may hold the pipe open after the starter's end."""
    (tmp_path / "polite.py").write_text(MODULES["polite"], encoding="utf-8")
    forking = STARTER.replace(
        "sys.stdin.read()", "if os.fork(): sys.stdin.read()\nimport time\ntime.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", forking, "polite", f"{ROOT}{os.pathsep}{tmp_path}", "1"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    family = psutil.Process(starter.pid).children()
    (kept,) = [one for one in family if "flows.processes.watchdog" in one.cmdline()]
    try:
        starter.kill()
        starter.wait()

        assert not psutil.wait_procs([kept], timeout=5)[1]
    finally:
        for one in family:
            if one.is_running():
                one.kill()
        starter.communicate()


def test_its_code_is_the_modules(tmp_path):
    (tmp_path / "seven.py").write_text("raise SystemExit(7)", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.processes.watchdog", "1", "seven"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )

    assert process.wait() == 7
    process.communicate()
