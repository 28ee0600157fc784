"""Where functions of one partition run: in this process, or on a Dask cluster.

The functions and the partitions are the same in both, and results come in the order of the
partitions, so no byte of what is written depends on where it was computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from autorec_core.cluster import connect

AHEAD = 2
"""Partitions a worker has waiting: enough to keep it busy, few enough to bound memory."""


class Compute(Protocol):
    """Runs a function on partitions."""

    def share(self, value: Any) -> Any:
        """Gives every partition's call a value that is too large to be sent along each time."""

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """The function's results for the arguments of each call, in order, a few ahead.

        The last argument of each call is the partition.
        """


class Here:
    """Runs everything in this process, one partition at a time."""

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """See `Compute.map`."""
        return (function(*call) for call in calls)


HERE = Here()


class Cluster:
    """Runs partitions on the workers of a Dask cluster; they need no disk of the driver's.

    Args:
        client: A client of `distributed`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self._window = AHEAD * sum(worker["nthreads"] for worker in workers)

    def share(self, value: Any) -> Any:
        """The value's place on the cluster."""
        return self._client.scatter(value, broadcast=True, hash=False)

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """See `Compute.map`."""
        waiting: deque[Any] = deque()
        for call in calls:
            *settings, partition = call
            sent = self._client.scatter(partition, hash=False)  # not through the scheduler
            waiting.append(self._client.submit(function, *settings, sent, pure=False))
            if len(waiting) >= self._window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def compute_at(address: str | None) -> Iterator[Compute]:
    """Where to compute: on the cluster at `address`, or here.

    Raises:
        UnreachableError: No scheduler answers there, or it has no workers.
    """
    if address is None:
        yield HERE
        return
    client = connect(address)
    try:
        yield Cluster(client)
    finally:
        client.close()
