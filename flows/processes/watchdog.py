"""Runs a module in a process that ends when the process that started it ends.

Usage: `python -m flows.processes.watchdog SECONDS MODULE ...`, where stdin is a pipe. The starter
keeps the other end. When it closes that end or dies, however suddenly, a thread of this process
ends the process and all that it has started. Works on Linux and macOS.
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
"""How long a server may take for an orderly end, with nobody left to wait for it."""


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
        arguments: Its arguments.
        environment: Its environment.
        grace_seconds: How long it may take to end by itself; with 0 it is killed at once.

    Returns:
        The process. Closing its `stdin` ends it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "flows.processes.watchdog", str(grace_seconds), module, *arguments],
        env=dict(environment),
        stdin=subprocess.PIPE,
        start_new_session=True,  # what kills the starter's whole group must not stop the watching
    )


def main(grace_seconds: float, module: str, arguments: Sequence[str]) -> None:
    """Runs a module in this process, which ends when the starter is gone."""
    watch = threading.Thread(target=_end_with, args=(os.getppid(), grace_seconds), daemon=True)
    watch.start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(starter: int, grace_seconds: float) -> None:
    """Waits until the starter has closed stdin or is gone, then ends this process."""
    while os.getppid() == starter:  # a copy of the pipe may be open in another process for longer
        readable, _, _ = select.select([0], [], [], POLL_SECONDS)
        if readable and not os.read(0, 1024):
            break
    if grace_seconds:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
