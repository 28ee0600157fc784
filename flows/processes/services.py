"""`make up` and `make down`: a Prefect server, an MLflow server and a worker on this machine.

Each one runs in its own session. `up` records its process id and start time, so that `down` ends
exactly these processes (the worker first) and never another process with a reused id. If
PREFECT_API_URL or MLFLOW_TRACKING_URI is set, that server is used and none is started.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from autorec_core.errors import AutoRecError, ConfigError, UnreachableError
from autorec_core.files import write_json
from flows.addresses import ARTIFACTS, STORE, sqlite_address
from flows.config import Params, ServicesParams
from flows.environment import (
    bypass_proxies,
    check_proxies,
    prepare_environment,
    without_password,
)
from flows.processes.health import fault_of_server
from flows.processes.locks import FOLDER
from flows.processes.mlflow_store import correct_places
from flows.processes.worker import END_SECONDS, PREFECT_COMMAND, deploy, work, worker_command
from flows.workspace import check_writable

PREFECT, MLFLOW, WORKER = "prefect", "mlflow", "worker"
START_SECONDS = 180.0
STOP_SECONDS = {WORKER: END_SECONDS, MLFLOW: 15.0, PREFECT: 15.0}
"""How long each service may take to end before it is killed, in the order of stopping."""


@dataclass(frozen=True)
class Service:
    """A process that `up` started.

    Args:
        name: "prefect", "mlflow" or "worker".
        pid: Process id; the process leads its session.
        born: Start time of the process in seconds since 1970. With `pid` it identifies the process
            even if the system uses the id again.
        address: URL of the server; None for the worker.
    """

    name: str
    pid: int
    born: float
    address: str | None = None

    def process(self) -> psutil.Process | None:
        """Returns the process, or None if it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def addresses(params: ServicesParams) -> dict[str, str]:
    """Returns the URLs of the servers: from the environment, else those that `up` starts."""
    own = {
        "PREFECT_API_URL": f"http://{params.host}:{params.prefect_port}/api",
        "MLFLOW_TRACKING_URI": f"http://{params.host}:{params.mlflow_port}",
    }
    return {name: os.environ.get(name) or address for name, address in own.items()}


def running_services(root: Path) -> dict[str, str]:
    """Returns the servers that `up` started in a workspace and that still run.

    Args:
        root: The workspace.

    Returns:
        The URL of each server by its environment variable.
    """
    names = {PREFECT: "PREFECT_API_URL", MLFLOW: "MLFLOW_TRACKING_URI"}
    return {
        names[service.name]: service.address
        for service in _noted(root)
        if service.address is not None and service.process() is not None
    }


def prefect_database(root: Path) -> dict[str, str]:
    """Returns the environment variable that sets the database of a workspace's Prefect server.

    By default Prefect uses a database in the user's home. Workspaces would then see each other's
    deployments and wait for each other's writes.

    Args:
        root: The workspace.
    """
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    folder = (root / FOLDER).resolve()
    folder.mkdir(exist_ok=True)
    return {name: os.environ.get(name) or sqlite_address(folder / "prefect.db", "aiosqlite")}


def up(root: Path) -> None:
    """Starts the servers that do not run yet, deploys prefect.yaml, and starts a worker.

    Raises:
        UnreachableError: A server did not start. The message names its log.
    """
    check_writable(root)
    check_proxies()
    params = Params.load(root / "params.yaml").services
    bypass_proxies(params.host)
    where = addresses(params)
    environment = {**os.environ, **prefect_database(root), **where}
    correct_places(root)
    servers = (
        (PREFECT, "PREFECT_API_URL", _prefect(params)),
        (MLFLOW, "MLFLOW_TRACKING_URI", _mlflow(params, root)),
    )
    for name, variable, command in servers:
        if os.environ.get(variable):
            print(f"{name}: using the server of {variable}")
        elif not _runs(root, name):
            _must_be_free(name, variable, where[variable])
            _start(root, name, command, environment, where[variable])
    for name, variable, _ in servers:
        _await(root, name, variable, f"{where[variable].rstrip('/')}/health")
        print(f"{name}: {where[variable].removesuffix('/api')}")
    deploy(root, environment)
    if not _runs(root, WORKER):
        _start(root, WORKER, worker_command(), environment)
    print(f"worker: waiting for runs; all logs are in {root / FOLDER / 'log'}")


def down(root: Path) -> None:
    """Stops the services that `up` started: the worker first, then the servers."""
    services = {service.name: service for service in _noted(root)}
    for name, seconds in STOP_SECONDS.items():
        service = services.get(name)
        if service is None or service.process() is None:
            print(f"{name}: not running")
        else:
            print(f"{name}: {_stop(service, seconds)}")
        _place(root, name).unlink(missing_ok=True)


def _prefect(params: ServicesParams) -> list[str]:
    place = ["--host", params.host, "--port", str(params.prefect_port)]
    return [*PREFECT_COMMAND, "server", "start", *place]


def _mlflow(params: ServicesParams, root: Path) -> list[str]:
    store = ["--backend-store-uri", sqlite_address((root / STORE).resolve())]
    artifacts = [
        "--serve-artifacts",
        "--artifacts-destination",
        (root / ARTIFACTS).resolve().as_uri(),
    ]
    place = ["--host", params.host, "--port", str(params.mlflow_port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *place]


def _start(
    root: Path,
    name: str,
    command: list[str],
    environment: dict[str, str],
    address: str | None = None,
) -> None:
    """Starts a service in its own session, with a log file."""
    log = root / FOLDER / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    born = psutil.Process(process.pid).create_time()
    write_json(_place(root, name), asdict(Service(name, process.pid, born, address)))


def _runs(root: Path, name: str) -> bool:
    return any(service.name == name and service.process() is not None for service in _noted(root))


def _must_be_free(name: str, variable: str, address: str) -> None:
    """Checks that a port is free, so that another program is not mistaken for our server.

    Raises:
        ConfigError: Another program listens on the port.
    """
    where = urlsplit(address)
    with socket.socket() as probe:
        if probe.connect_ex((where.hostname or "", where.port or 0)) == 0:
            raise ConfigError(
                f"Something else listens on {where.netloc}. Choose another `services.{name}_port` "
                f"in params.yaml, or set {variable} to use the server that runs there."
            )


def _await(root: Path, name: str, variable: str, health: str) -> None:
    """Waits until a server that `up` started answers. Any other server must answer at once."""
    own = next((service for service in _noted(root) if service.name == name), None)
    if os.environ.get(variable) or own is None:
        if (fault := fault_of_server(health)) is not None:
            raise UnreachableError(
                f"{name} does not answer at {without_password(health)}: {fault}. Start that "
                f"server, or unset {variable}, and one is started here."
            )
        return
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and own.process() is not None:
        if fault_of_server(health) is None:
            return
        time.sleep(0.2)
    raise UnreachableError(
        f"{name} does not answer at {health}; see {root / FOLDER / 'log' / f'{name}.log'}."
    )


def _stop(service: Service, seconds: float) -> str:
    """Asks a service to end, and kills it after `seconds`. Returns how it ended, as text."""
    process = service.process()
    assert process is not None
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, seconds)
    for survivor in left:
        with suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(left, 5)
    return "stopped" if process not in left else f"killed after {seconds:.0f} seconds"


def _noted(root: Path) -> Iterator[Service]:
    for name in STOP_SECONDS:
        place = _place(root, name)
        if place.exists():
            content: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
            yield Service(**content)


def _place(root: Path, name: str) -> Path:
    return root / FOLDER / "services" / f"{name}.json"


def main() -> None:
    """Starts (up) or stops (down) the services of this workspace, or runs only a worker (work)."""
    prepare_environment()
    parser = argparse.ArgumentParser(
        prog="python -m flows.processes.services", description=main.__doc__
    )
    parser.add_argument("what", choices=("up", "down", "work"))
    try:
        {"up": up, "down": down, "work": work}[parser.parse_args().what](Path())
    except AutoRecError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
