"""The lock that a tracking server holds: real server, real processes, a real kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from team import answers, eventually, free_port

from flows.registry.server_lock import exclusive
from flows.registry.versions import RegistryError

pytestmark = pytest.mark.slow

NAME = "autorec-shared"
LEASE = 3.0
COUNT = """
import sys, time, mlflow
from flows.environment import prepare_environment
prepare_environment()
from flows.registry.server_lock import exclusive
uri, rounds = sys.argv[1], int(sys.argv[2])
mlflow.set_tracking_uri(uri); mlflow.set_registry_uri(uri)
client = mlflow.MlflowClient()
for _ in range(rounds):
    with exclusive(client, "autorec-shared", seconds=60.0) as lease:
        before = int(client.get_registered_model("autorec-shared").tags["count"])
        time.sleep(0.02)
        lease.assure()
        client.set_registered_model_tag("autorec-shared", "count", str(before + 1))
"""
HOLD = """
import sys, time, mlflow
from flows.environment import prepare_environment
prepare_environment()
from flows.registry.server_lock import exclusive
mlflow.set_tracking_uri(sys.argv[1]); mlflow.set_registry_uri(sys.argv[1])
with exclusive(mlflow.MlflowClient(), "autorec-shared"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A tracking server on loopback."""
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: answers(f"{uri}/health"), "it does not answer", 500)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def client(server):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=server, registry_uri=server)
    client.create_registered_model(NAME, tags={"count": "0"})
    return client


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    )


def test_many_processes_never_hold_it_at_once(server, client):
    workers = [start(COUNT, server, "4") for _ in range(3)]

    assert [worker.wait(timeout=300) for worker in workers] == [0] * 3
    assert client.get_registered_model(NAME).tags["count"] == "12"
    assert [one.name for one in client.search_registered_models()] == [NAME]


def test_the_lock_of_a_killed_holder_is_broken_after_a_lease(server, client):
    holder = start(HOLD, server)
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    with (
        pytest.raises(RegistryError, match=f"held by other processes .*-{holder.pid}-"),
        exclusive(client, NAME, seconds=LEASE, patience=0.5),
    ):
        pass
    with exclusive(client, NAME, seconds=LEASE):
        left = {one.name for one in client.search_registered_models()}

    assert any(name.startswith(f"{NAME}.lock.broken.") for name in left)


def test_a_holder_whose_lock_was_broken_writes_nothing(client):
    with exclusive(client, NAME, seconds=60.0) as slow:
        client.rename_registered_model(slow.lock, f"{slow.lock}.broken.{slow.owner}")
        with exclusive(client, NAME, seconds=60.0) as quick:
            with pytest.raises(RegistryError, match="no longer safe"):
                slow.assure()
            quick.assure()


def test_a_holder_writes_nothing_late_in_its_lease(client):
    with exclusive(client, NAME, seconds=0.2) as lease:
        time.sleep(0.15)
        with pytest.raises(RegistryError, match="the alias was not moved"):
            lease.assure()
