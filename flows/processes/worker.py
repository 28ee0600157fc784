"""The worker that runs what prefect.yaml deploys, and how it stops without losing a run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from autorec_core.errors import AutoRecError, ConfigError
from flows.environment import check_proxies
from flows.processes import watchdog
from flows.processes.health import check_prefect
from flows.workspace import check_writable

POOL = "autorec"
PREFECT_COMMAND = [sys.executable, "-m", "prefect", "--no-prompt"]
RUN_SECONDS = 45.0
"""How long `work` waits for running runs when it is told to stop. The sum of this,
`REPORT_SECONDS` and `END_SECONDS` must stay below `stop_grace_period` in compose.yaml."""
REPORT_SECONDS = 15.0
"""How long a run that is stopped may take to tell the Prefect server that it did not complete."""
END_SECONDS = 40.0
"""How long the worker itself may take to end before it is killed."""


def work(root: Path) -> None:
    """Deploys prefect.yaml to the server of PREFECT_API_URL, then runs a worker for it.

    On SIGTERM or Ctrl-C it waits up to `RUN_SECONDS` for running runs, then stops them and marks
    them as crashed. The next run continues where they stopped.

    Raises:
        ConfigError: PREFECT_API_URL is not set, a proxy cannot be used, or the workspace cannot be
            written.
        UnreachableError: The Prefect server does not answer.
    """
    check_writable(root)
    check_proxies()
    api = os.environ.get("PREFECT_API_URL")
    if not api:
        raise ConfigError("PREFECT_API_URL is not set. Set it to the server of this worker.")
    check_prefect(api)
    os.chdir(root)
    deploy(root, dict(os.environ))
    module, *arguments = worker_command()[2:]
    worker = watchdog.start(module, arguments, environment=os.environ, grace_seconds=END_SECONDS)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    while worker.poll() is None:
        if asked.wait(1):
            wait_for_runs(worker.pid, RUN_SECONDS)
            stop_runs(worker.pid, REPORT_SECONDS)
            worker.terminate()
            worker.wait()
            return
    sys.exit(worker.returncode)


def wait_for_runs(worker: int, seconds: float) -> None:
    """Waits until a worker has no running run, at most `seconds` seconds."""
    deadline = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(worker)
        while process.children() and time.monotonic() < deadline:
            time.sleep(0.2)


def stop_runs(worker: int, seconds: float) -> None:
    """Tells the runs of a worker to end, and gives them time to report that they crashed.

    Otherwise they would stay "Running" and keep the next run of their deployment waiting.
    """
    with suppress(psutil.NoSuchProcess):
        for run in psutil.Process(worker).children():
            with suppress(psutil.NoSuchProcess):
                run.terminate()
    wait_for_runs(worker, seconds)


def deploy(root: Path, environment: dict[str, str]) -> None:
    """Creates the work pool and the deployments of prefect.yaml.

    Raises:
        AutoRecError: Prefect failed. The message contains Prefect's output.
    """
    pool = ["work-pool", "create", POOL, "--type", "process", "--overwrite"]
    for arguments in (pool, ["deploy", "--all"]):
        done = subprocess.run(
            [*PREFECT_COMMAND, *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            output = (done.stdout + done.stderr).strip()
            raise AutoRecError(f"`prefect {' '.join(arguments)}` failed:\n{output}")


def worker_command() -> list[str]:
    """Returns the command that starts a worker of the pool on this machine."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    return [*PREFECT_COMMAND, "worker", "start", "--pool", POOL, "--name", name]
