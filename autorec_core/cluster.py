"""The connection to a Dask cluster."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from autorec_core.errors import UnreachableError

if TYPE_CHECKING:
    from distributed import Client

ANSWER_SECONDS = 15
WORKER_SECONDS = 60
"""How long a cluster may be without workers, at the start and later."""
CHECK_SECONDS = 1.0


def connect(address: str) -> Client:
    """Connects to the Dask scheduler at `address`, such as `tcp://host:8786`.

    Raises:
        UnreachableError: No scheduler answers there, or it has no workers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except OSError as error:
        raise UnreachableError(
            f"No Dask scheduler answers at {address} (`compute.address`)."
        ) from error
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError as error:
        client.close()
        raise UnreachableError(
            f"The Dask scheduler at {address} has no workers after {WORKER_SECONDS} s."
        ) from error
    return client


class Watch:
    """Notices that a cluster has lost its scheduler or all of its workers.

    Dask itself waits for new workers without end.

    Args:
        client: A client that is connected.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._address = client.scheduler.address
        self._checked = self._seen = time.monotonic()

    def check(self) -> None:
        """Asks the scheduler whether it has workers, at most once in `CHECK_SECONDS`.

        Raises:
            UnreachableError: There have been none for `WORKER_SECONDS`.
        """
        now = time.monotonic()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        if self._has_workers():
            self._seen = time.monotonic()
        elif self._client.status == "closed" or now - self._seen >= WORKER_SECONDS:
            raise self.lost()

    def wait(self) -> None:
        """Waits until there is a worker.

        Raises:
            UnreachableError: There has been none for `WORKER_SECONDS`.
        """
        while not self._has_workers():
            self.check()
            time.sleep(CHECK_SECONDS / 5)

    def lost(self) -> UnreachableError:
        """Makes the error that says that the cluster is lost."""
        return UnreachableError(
            f"The Dask cluster at {self._address} has lost its scheduler or all of its workers. "
            "Start them again, then run the same command again; finished trials are kept."
        )

    def _has_workers(self) -> bool:
        # A scheduler that is gone raises different errors at different times.
        with suppress(Exception):
            return bool(self._client.nthreads(callback_timeout=ANSWER_SECONDS))
        return False
