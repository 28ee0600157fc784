"""A temporary Prefect server for one run, used if no server is running.

Prefect can start such a server itself, but later, with two lines of log, and a killed run leaves it
running for ever. This one starts while Prefect is still being imported, the run does not wait for
its end, and it cannot outlive the run. If it is killed, it is started again at the same address,
and Prefect's client, which tries for minutes, continues.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from autorec_core.errors import UnreachableError
from flows.processes import watchdog
from flows.processes.health import fault_of_server
from flows.processes.services import prefect_database

SECONDS = 180.0
RESTARTS = 3
RESTARTED = "The temporary Prefect server was killed. It is started again."
_ENVIRONMENT = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",  # an event that it cannot store is harmless
}


def start_temporary_server(root: Path) -> None:
    """Starts a server on this machine and sets PREFECT_API_URL. Call it before importing Prefect.

    The server ends after this process has sent its last logs, or when this process is killed.

    Args:
        root: The workspace, which holds the server's database.

    Raises:
        UnreachableError: The server did not start.
    """
    port = _free_port()
    spec = find_spec("prefect")
    assert spec is not None
    assert spec.origin is not None
    arguments = ["--app-dir", str(Path(spec.origin).parent)]
    arguments += ["--factory", "prefect.server.api.server:create_app", "--lifespan", "on"]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    environment = {**os.environ, **prefect_database(root), **_ENVIRONMENT}
    server = _Server(lambda: watchdog.start("uvicorn", arguments, environment=environment))
    # Prefect's thread has sent the last logs by then: Python ends threads before atexit functions.
    atexit.register(server.end)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    import prefect  # noqa: F401  slow, so it runs while the server starts

    _await(server.process, os.environ["PREFECT_API_URL"])
    threading.Thread(target=server.keep_alive, daemon=True).start()


class _Server:
    """The process of the server, and the next one if it is killed.

    Args:
        start: Starts the process.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._changing = threading.Lock()
        self._ended = False
        self.process = start()

    def keep_alive(self) -> None:
        """Starts the server again when it has been killed, `RESTARTS` times at most."""
        for _ in range(RESTARTS):
            self.process.wait()
            with self._changing:
                if self._ended:
                    return
                print(RESTARTED, file=sys.stderr)  # noqa: T201  Prefect's logs need the server
                self.process = self._start()

    def end(self) -> None:
        """Ends the server."""
        with self._changing:
            self._ended = True
            assert self.process.stdin is not None
            self.process.stdin.close()


def _await(process: subprocess.Popen[bytes], api: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if fault_of_server(f"{api}/health") is None:
            return
        time.sleep(0.1)
    raise UnreachableError(f"The temporary Prefect server did not start at {api}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
