"""A lock across processes and machines, stored in the MLflow tracking server.

MLflow sets aliases without any check, but its database allows each registered model name only once.
The lock is therefore an empty registered model named `<name>.lock`. The process that creates it
holds the lock, and deletes it to release the lock.

A holder that is killed leaves the lock behind. Another process breaks the lock after it has seen
the same owner for a whole lease by its own clock, so clocks of two machines are never compared. It
breaks the lock by renaming it after its owner. That can succeed only once, so a lock that has
passed to a new owner is never broken by mistake.

A holder writes only in the first half of its lease, and checks this before it writes
(`Lease.assure`). Only a few requests are made under the lock; models are scored before. One risk
remains: a holder that is suspended for half a lease between this check and its next request.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from flows.registry.versions import RegistryError

LEASE = 60.0
POLL = 0.2
OWNER = "owner"
BROKEN = "broken"
BROKEN_MS = 3600 * 1000
"""How long a broken lock is remembered: longer than any process could still try to break it."""


@dataclass(frozen=True)
class Lease:
    """A lock that this process holds.

    Args:
        registry: MLflow's client.
        lock: Name of the lock.
        owner: The holder: machine, process id and a random part.
        since: Time of the request by this machine's monotonic clock, in seconds.
        seconds: Length of the lease. Others do not break the lock before.
    """

    registry: Any
    lock: str
    owner: str
    since: float
    seconds: float

    def assure(self) -> None:
        """Checks that no other process can hold the lock now.

        Raises:
            RegistryError: More than half of the lease is over, or another process broke the lock.
        """
        elapsed = time.monotonic() - self.since
        if elapsed > self.seconds / 2 or _owner(self.registry, self.lock) != self.owner:
            raise RegistryError(
                f"{self.lock} was held for {elapsed:.0f} s and is no longer safe, so the alias was "
                "not moved. Run the command again."
            )


@contextmanager
def exclusive(
    registry: Any, name: str, *, seconds: float = LEASE, patience: float = 5 * LEASE
) -> Iterator[Lease]:
    """Holds the lock of a registered model.

    Args:
        registry: MLflow's client.
        name: The registered model.
        seconds: Length of the lease. Others break the lock if it is not released by then.
        patience: Maximum seconds to wait for the lock.

    Raises:
        RegistryError: Other processes held the lock all the time.
    """
    lease = _acquire(registry, f"{name}.lock", seconds, patience)
    try:
        _forget_broken(registry, lease.lock)
        yield lease
    finally:
        # Later than this, the lock may belong to another process, so it is not deleted.
        if time.monotonic() - lease.since < seconds * 0.9:
            with suppress(_mlflow_error()):
                registry.delete_registered_model(lease.lock)


def _acquire(registry: Any, lock: str, seconds: float, patience: float) -> Lease:
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(6)}"
    started = seen_since = time.monotonic()
    seen: str | None = None
    while True:
        asked = time.monotonic()
        if _make(registry, lock, owner):
            return Lease(registry, lock, owner, asked, seconds)
        holder, now = _owner(registry, lock), time.monotonic()
        if holder != seen:
            seen, seen_since = holder, now
        elif holder is not None and now - seen_since > seconds:
            _break(registry, lock, holder)
        elif now - started > patience:
            raise RegistryError(
                f"{lock} has been held by other processes for {patience:.0f} s ({holder})."
            )
        time.sleep(POLL)


def _make(registry: Any, lock: str, owner: str) -> bool:
    """Creates the lock. Returns False if another process holds it."""
    try:
        registry.create_registered_model(lock, tags={OWNER: owner})
    except _mlflow_error() as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        # MLflow's client repeats a request if its answer was lost, so the lock may be ours.
        return _owner(registry, lock) == owner
    return True


def _owner(registry: Any, lock: str) -> str | None:
    try:
        return registry.get_registered_model(lock).tags.get(OWNER)
    except _mlflow_error() as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _break(registry: Any, lock: str, holder: str) -> None:
    # Fails if the lock was just released, or if this holder's lock was already broken.
    with suppress(_mlflow_error()):
        registry.rename_registered_model(lock, f"{lock}.{BROKEN}.{holder}")


def _forget_broken(registry: Any, lock: str) -> None:
    """Deletes locks that were broken long ago. Uses only the server's clock."""
    found = registry.search_registered_models(f"name LIKE '{lock}%'")
    now = max((model.creation_timestamp for model in found if model.name == lock), default=0)
    for model in found:
        if model.name != lock and now - model.last_updated_timestamp > BROKEN_MS:
            with suppress(_mlflow_error()):
                registry.delete_registered_model(model.name)


def _mlflow_error() -> Any:
    from mlflow.exceptions import MlflowException

    return MlflowException
