"""A temporary Prefect server for one run, used if no server is running.

Prefect can start such a server itself, but later, with two lines of log, and a killed run leaves it
running for ever. This one starts while Prefect is still being imported, the run does not wait for
its end, and it cannot outlive the run.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from autorec_core.errors import UnreachableError
from flows.processes import watchdog
from flows.processes.health import fault_of_server
from flows.processes.services import prefect_database

SECONDS = 180.0
_ENVIRONMENT = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
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
    process = watchdog.start("uvicorn", arguments, environment=environment)
    assert process.stdin is not None
    # Prefect's thread has sent the last logs by then: Python ends threads before atexit functions.
    atexit.register(process.stdin.close)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    import prefect  # noqa: F401  slow, so it runs while the server starts

    _await(process, os.environ["PREFECT_API_URL"])


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
