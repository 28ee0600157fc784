"""`make up` and `make down`: Prefect server, MLflow server and a worker, all on loopback.

Each is started in a session of its own and noted with its process and that process's start, so that
`down` ends exactly these, a worker before the servers, and never a stranger with the same number.
Where PREFECT_API_URL or MLFLOW_TRACKING_URI is set already, that server is used and none started.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
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
from flows.addresses import sqlite_address
from flows.config import Params, ServicesParams
from flows.environment import (
    bypass_proxies,
    check_proxies,
    prepare_environment,
    without_password,
)
from flows.processes import watchdog
from flows.processes.health import check_prefect, fault_of_server
from flows.processes.locks import FOLDER
from flows.processes.mlflow_store import correct_places
from flows.workspace import ARTIFACTS, STORE, check_writable

PREFECT, MLFLOW, WORKER = "prefect", "mlflow", "worker"
POOL = "autorec"
_PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
START_SECONDS = 180.0
RUN_SECONDS = 45.0
"""How long runs in progress may take to end when `work` is told to. With the worker's own time in
`STOP_SECONDS` it must stay below `stop_grace_period` in compose.yaml."""
STOP_SECONDS = {WORKER: 40.0, MLFLOW: 15.0, PREFECT: 15.0}
"""How long each may take to end by itself, in the order they are ended."""


@dataclass(frozen=True)
class Service:
    """A process that `up` started.

    Args:
        name: Which of the three.
        pid: Its process, the leader of its session.
        born: When that process began; with `pid` it names one process for ever.
        address: Where it answers, if it is a server.
    """

    name: str
    pid: int
    born: float
    address: str | None = None

    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def addresses(params: ServicesParams) -> dict[str, str]:
    """Where the servers are: what the environment says, else what `up` starts."""
    own = {
        "PREFECT_API_URL": f"http://{params.host}:{params.prefect_port}/api",
        "MLFLOW_TRACKING_URI": f"http://{params.host}:{params.mlflow_port}",
    }
    return {name: os.environ.get(name) or address for name, address in own.items()}


def running_services(root: Path) -> dict[str, str]:
    """The servers that `up` has started in a workspace and that run now.

    Args:
        root: The workspace.

    Returns:
        Their addresses, by the names of the environment's variables for them.
    """
    names = {PREFECT: "PREFECT_API_URL", MLFLOW: "MLFLOW_TRACKING_URI"}
    return {
        names[service.name]: service.address
        for service in _noted(root)
        if service.address is not None and service.process() is not None
    }


def prefect_database(root: Path) -> dict[str, str]:
    """The variable that says where a workspace's Prefect server keeps deployments and runs.

    Prefect's own place is the user's home: workspaces would see each other's deployments there, and
    wait for each other's writes.

    Args:
        root: The workspace.
    """
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    folder = (root / FOLDER).resolve()
    folder.mkdir(exist_ok=True)
    return {name: os.environ.get(name) or sqlite_address(folder / "prefect.db", "aiosqlite")}


def up(root: Path) -> None:
    """Starts what does not run yet, deploys prefect.yaml, and starts a worker.

    Raises:
        UnreachableError: A server does not come up; its log is named.
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
            print(f"{name}: {variable} is set, that server is used")
        elif not _runs(root, name):
            _must_be_free(name, variable, where[variable])
            _start(root, name, command, environment, where[variable])
    for name, variable, _ in servers:
        _await(root, name, variable, f"{where[variable].rstrip('/')}/health")
        print(f"{name}: {where[variable].removesuffix('/api')}")
    deploy(root, environment)
    if not _runs(root, WORKER):
        _start(root, WORKER, _worker(), environment)
    print(f"worker: waits for runs; logs of all in {root / FOLDER / 'log'}")


def work(root: Path) -> None:
    """Deploys prefect.yaml on servers that run elsewhere, then works for them.

    Told to end (SIGTERM, Ctrl-C), it lets the runs in progress end if they do so within
    `RUN_SECONDS`. Those that are left are stopped, and the next run goes on where they were.

    Raises:
        ConfigError: No address of a Prefect server is given, a proxy cannot be used, or the
            workspace cannot be written.
        UnreachableError: The Prefect server does not answer.
    """
    check_writable(root)
    check_proxies()
    api = os.environ.get("PREFECT_API_URL")
    if not api:
        raise ConfigError("Set PREFECT_API_URL to the server that this worker is to work for.")
    check_prefect(api)
    os.chdir(root)
    deploy(root, dict(os.environ))
    module, *arguments = _worker()[2:]
    worker = watchdog.start(
        module, arguments, environment=os.environ, grace_seconds=STOP_SECONDS[WORKER]
    )
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    while worker.poll() is None:
        if asked.wait(1):
            wait_for_runs(worker.pid, RUN_SECONDS)
            worker.terminate()
            worker.wait()
            return
    sys.exit(worker.returncode)


def wait_for_runs(worker: int, seconds: float) -> None:
    """Waits until a worker has no run in progress, and no longer than it may."""
    deadline = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(worker)
        while process.children() and time.monotonic() < deadline:
            time.sleep(0.2)


def deploy(root: Path, environment: dict[str, str]) -> None:
    """Makes the work pool, and the deployments of prefect.yaml.

    Raises:
        AutoRecError: Prefect refuses; its words are repeated.
    """
    pool = ["work-pool", "create", POOL, "--type", "process", "--overwrite"]
    for arguments in (pool, ["deploy", "--all"]):
        done = subprocess.run(
            [*_PREFECT, *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            words = (done.stdout + done.stderr).strip()
            raise AutoRecError(f"`prefect {' '.join(arguments)}` failed:\n{words}")


def down(root: Path) -> None:
    """Ends what `up` has started: the worker first, then the servers."""
    services = {service.name: service for service in _noted(root)}
    for name, seconds in STOP_SECONDS.items():
        service = services.get(name)
        if service is None or service.process() is None:
            print(f"{name}: does not run")
        else:
            print(f"{name}: {_stop(service, seconds)}")
        _place(root, name).unlink(missing_ok=True)


def _prefect(params: ServicesParams) -> list[str]:
    place = ["--host", params.host, "--port", str(params.prefect_port)]
    return [*_PREFECT, "server", "start", *place]


def _worker() -> list[str]:
    name = f"{socket.gethostname()}-{os.getpid()}"
    return [*_PREFECT, "worker", "start", "--pool", POOL, "--name", name]


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
    """Starts a service in a session of its own, with a log."""
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
    return any(one.name == name and one.process() is not None for one in _noted(root))


def _must_be_free(name: str, variable: str, address: str) -> None:
    """Whoever answers on that port already would be taken for the server that could not start.

    Raises:
        ConfigError: Something listens there.
    """
    where = urlsplit(address)
    with socket.socket() as probe:
        if probe.connect_ex((where.hostname or "", where.port or 0)) == 0:
            raise ConfigError(
                f"Something else listens on {where.netloc}: set `services.{name}_port` in "
                f"params.yaml, or {variable} to use a server that runs there."
            )


def _await(root: Path, name: str, variable: str, health: str) -> None:
    """Waits until a server that `up` has started answers; one of somebody else must do so now."""
    own = next((service for service in _noted(root) if service.name == name), None)
    if os.environ.get(variable) or own is None:
        if (fault := fault_of_server(health)) is not None:
            raise UnreachableError(
                f"{name} does not answer at {without_password(health)}: {fault}. Start that "
                f"server, or unset {variable} to have one started here."
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
    """Asks a service to end, then kills its whole session; says how it went."""
    process = service.process()
    assert process is not None
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, seconds)
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.kill()
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
    """Starts or ends the services of the current folder's workspace, or works for others."""
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
