"""One at a time, across processes and machines: a lock that the tracking server itself holds.

MLflow sets aliases unconditionally, but it makes a registered model of one name only once: its
database holds the name unique. So the lock is an empty registered model, `<name>.lock`. Who makes
it, holds it; who deletes it, lets it go.

A holder that dies leaves the lock behind. Others break it when they themselves have seen the same
owner for a whole lease; no clock is compared with another machine's. They break it by renaming it
after its owner, which again can happen only once, so that nobody breaks a lock that has meanwhile
passed to another. A holder acts only in the first half of its lease and asks before it writes
(`Lease.assure`): what is done under the lock takes some requests, models are scored before. What
remains is a holder that stands still for half a lease between that question and its next request.
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
"""How long a broken lock is remembered: longer than anybody could still want to break it."""


@dataclass(frozen=True)
class Lease:
    """A lock that is held.

    Args:
        registry: MLflow's client.
        lock: The lock's name.
        owner: Who holds it: machine, process and a random part.
        since: When it was asked for, by this machine's monotonic clock.
        seconds: How long others leave it alone.
    """

    registry: Any
    lock: str
    owner: str
    since: float
    seconds: float

    def assure(self) -> None:
        """Makes sure that nobody else can hold the lock now.

        Raises:
            RegistryError: More than half of the lease is over, or another has broken the lock.
        """
        elapsed = time.monotonic() - self.since
        if elapsed > self.seconds / 2 or _owner(self.registry, self.lock) != self.owner:
            raise RegistryError(
                f"{self.lock} was held for {elapsed:.0f} s and is not certain any more; nothing "
                "was moved. Run it again."
            )


@contextmanager
def exclusive(
    registry: Any, name: str, *, seconds: float = LEASE, patience: float = 5 * LEASE
) -> Iterator[Lease]:
    """Holds the lock of a registered model.

    Args:
        registry: MLflow's client.
        name: The registered model.
        seconds: The lease: how long others leave a lock alone whose holder does not let go.
        patience: How long to wait for it.

    Raises:
        RegistryError: Others held it all the time.
    """
    lease = _acquire(registry, f"{name}.lock", seconds, patience)
    try:
        _forget_broken(registry, lease.lock)
        yield lease
    finally:
        # Later than this it may be another's: then it is left to be broken.
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
            raise RegistryError(f"{lock} has been held by others for {patience:.0f} s ({holder}).")
        time.sleep(POLL)


def _make(registry: Any, lock: str, owner: str) -> bool:
    """Makes the lock; False where it exists already and is not ours."""
    try:
        registry.create_registered_model(lock, tags={OWNER: owner})
    except _mlflow_error() as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        # An answer that was lost on its way makes MLflow's client ask again.
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
    # Fails where the lock has just been let go, or where this holder's was broken before.
    with suppress(_mlflow_error()):
        registry.rename_registered_model(lock, f"{lock}.{BROKEN}.{holder}")


def _forget_broken(registry: Any, lock: str) -> None:
    """Deletes the remains of locks broken long ago, by the server's clock alone."""
    found = registry.search_registered_models(f"name LIKE '{lock}%'")
    now = max((one.creation_timestamp for one in found if one.name == lock), default=0)
    for one in found:
        if one.name != lock and now - one.last_updated_timestamp > BROKEN_MS:
            with suppress(_mlflow_error()):
                registry.delete_registered_model(one.name)


def _mlflow_error() -> Any:
    from mlflow.exceptions import MlflowException

    return MlflowException
