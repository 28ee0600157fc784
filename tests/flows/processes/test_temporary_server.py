"""The temporary Prefect server of a run: started again when it is killed, gone with the run."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest
from team import eventually

pytestmark = pytest.mark.slow

RUN = """
import os, sys
from pathlib import Path

import psutil

from flows.environment import prepare_environment
from flows.processes.health import fault_of_server
from flows.processes.temporary_server import start_temporary_server

prepare_environment()
start_temporary_server(Path.cwd())
health = os.environ["PREFECT_API_URL"] + "/health"
(first,) = psutil.Process().children()
first.kill()
first.wait()
while fault_of_server(health) is not None:
    pass
(second,) = psutil.Process().children()
print(first.pid, second.pid)
"""


def test_a_killed_server_answers_again_at_its_address_and_ends_with_the_run(tmp_path):
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / ".prefect")}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "The temporary Prefect server was killed. It is started again."
    first, second = map(int, done.stdout.split())
    assert first != second
    eventually(lambda: not psutil.pid_exists(second), "the server outlives the run", 30)
