"""Runs a module in a process that ends when the process that started it ends.

Usage: `python -m flows.processes.watchdog SECONDS MODULE ...`. stdin is a pipe whose other end the
starter holds. When the starter closes that end, ends or is killed, a thread of this process ends
this process and all processes that it started. Works on Linux and macOS.
"""

from __future__ import annotations

import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

POLL_SECONDS = 0.5
GRACE_SECONDS = 3.0
"""How long a server may take to shut down before it is killed."""


def start(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    grace_seconds: float = GRACE_SECONDS,
) -> subprocess.Popen[bytes]:
    """Starts `python -m MODULE ...` as a process that ends when this one does.

    Args:
        module: The module to run.
        arguments: Arguments of the module.
        environment: Environment variables of the process.
        grace_seconds: Seconds between SIGTERM and SIGKILL; with 0 it is killed at once.

    Returns:
        The process. Closing its `stdin` ends it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "flows.processes.watchdog", str(grace_seconds), module, *arguments],
        env=dict(environment),
        stdin=subprocess.PIPE,
        start_new_session=True,  # a signal to the starter's group must not kill the watchdog
    )


def main(grace_seconds: float, module: str, arguments: Sequence[str]) -> None:
    """Runs a module in this process, and ends the process when the starter is gone."""
    watch = threading.Thread(target=_end_with, args=(os.getppid(), grace_seconds), daemon=True)
    watch.start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(starter: int, grace_seconds: float) -> None:
    """Waits until the starter has closed stdin or is gone, then ends this process."""
    while os.getppid() == starter:  # another process may keep a copy of the pipe open for longer
        readable, _, _ = select.select([0], [], [], POLL_SECONDS)
        if readable and not os.read(0, 1024):
            break
    if grace_seconds:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
