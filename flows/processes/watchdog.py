"""Runs a command and ends it when the process that started this one ends.

Usage: `python -m flows.processes.watchdog COMMAND ...`.

The starter holds the other end of stdin. When that closes, because the starter is done or was
killed, the command and all it has started end too, and the starter need not wait for that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

GRACE_SECONDS = 5.0


def main(command: list[str]) -> int:
    """Runs a command until it ends by itself or stdin closes; returns its code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the starter's to answer
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    # SIGTERM may be sent to the starter's whole group, and the command is not in it.
    signal.signal(signal.SIGTERM, lambda *_: _aside(_end, process))
    _aside(_end_with_stdin, process)
    return process.wait()


def _aside(call: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=call, args=arguments, daemon=True).start()


def _end_with_stdin(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock, held here, would abort an ordinary end
        pass
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
