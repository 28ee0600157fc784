"""The connection to a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autorec_core.errors import UnreachableError

if TYPE_CHECKING:
    from distributed import Client

ANSWER_SECONDS = 15
WORKER_SECONDS = 60


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
