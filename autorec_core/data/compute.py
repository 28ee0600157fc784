"""Where functions of one partition run: in threads of this process, or on a Dask cluster.

The functions and the partitions are the same in both, and results come in the order of the
partitions, so no byte of what is written depends on where it was computed.
"""

from __future__ import annotations

import os
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from autorec_core.cluster import connect

AHEAD = 2
"""Partitions a worker has waiting: enough to keep it busy, few enough to bound memory."""
MOST_THREADS = 8
"""Each holds a partition in memory."""
SENT_BY_ITSELF = 1 << 18
"""Partitions of more bytes than these do not pass through the scheduler."""


T = TypeVar("T")


class Compute(Protocol):
    """Runs a function on partitions."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether partitions are sent to other processes."""

    def reaches(self, folder: Path, files: Sequence[Path]) -> bool:
        """Whether the functions find the files and can write to the folder, which exists."""

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Generator[Any]:
        """The function's results for the arguments of each call, in order, a few ahead.

        The last argument of each call is the partition. After an error no call is running.
        """


class Here:
    """Runs partitions in threads of this process: nearly all of the work lets others work.

    Args:
        threads: How many; as many as there are processors, up to a few, if `None`.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads

    @property
    def is_elsewhere(self) -> bool:
        """See `Compute.is_elsewhere`."""
        return False

    def reaches(self, folder: Path, files: Sequence[Path]) -> bool:
        """See `Compute.reaches`."""
        return True

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Generator[Any]:
        """See `Compute.map`."""
        threads = self._threads or min(processors(), MOST_THREADS)
        with ThreadPoolExecutor(threads) as pool:
            yield from _in_order(
                lambda call: pool.submit(function, *call), calls, threads + 1, Future.cancel
            )


HERE = Here()


class Cluster:
    """Runs partitions on the workers of a Dask cluster.

    Args:
        client: A client of `distributed`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self._window = AHEAD * sum(worker["nthreads"] for worker in workers)

    @property
    def is_elsewhere(self) -> bool:
        """See `Compute.is_elsewhere`."""
        return True

    def reaches(self, folder: Path, files: Sequence[Path]) -> bool:
        """See `Compute.reaches`."""
        sizes = [(file, file.stat().st_size) for file in files]
        name = uuid.uuid4().hex
        try:
            answers = self._client.run(_finds, folder, name, sizes)
            return all(answers.values()) and len(list(folder.glob(f"{name}-*"))) == len(answers)
        finally:
            for left in folder.glob(f"{name}-*"):
                left.unlink()

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Generator[Any]:
        """See `Compute.map`."""

        def submit(call: tuple[Any, ...]) -> Any:
            *settings, partition = call
            if getattr(partition, "nbytes", 0) > SENT_BY_ITSELF:
                partition = self._client.scatter(partition, hash=False)
            return self._client.submit(function, *settings, partition, pure=False)

        yield from _in_order(submit, calls, self._window, _wait)


def _in_order(
    submit: Callable[[tuple[Any, ...]], Any],
    calls: Iterable[tuple[Any, ...]],
    window: int,
    give_up: Callable[[Any], Any],
) -> Generator[Any]:
    """The results of calls in their order, `window` of them at a time under way."""
    waiting: deque[Any] = deque()
    remaining = iter(calls)
    failure = None
    try:
        while failure is None:
            try:
                waiting.append(submit(next(remaining)))
            except StopIteration:
                break
            except Exception as error:  # said after what is wrong with earlier partitions
                failure = error
            if len(waiting) >= window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for one in waiting:
            give_up(one)
    if failure is not None:
        raise failure


def _wait(call: Any) -> None:
    """Waits until a call of which no one wants the result has ended."""
    with suppress(Exception):
        call.exception()


def _finds(folder: Path, name: str, files: Sequence[tuple[Path, int]]) -> bool:
    """Whether a worker sees files of these sizes, and leaves a file of its own in the folder."""
    try:
        (folder / f"{name}-{uuid.uuid4().hex}").touch()
        return all(file.stat().st_size == size for file, size in files)
    except OSError:
        return False


@contextmanager
def ahead(items: Generator[T]) -> Iterator[Iterator[T]]:
    """The items of a generator that runs in a thread, one item ahead of who takes them."""
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(next, items, None)
        try:
            yield _followed(thread, first, items)
        finally:
            thread.submit(items.close).result()


def _followed(
    thread: ThreadPoolExecutor, coming: Future[T | None], items: Iterator[T]
) -> Iterator[T]:
    while (item := coming.result()) is not None:
        coming = thread.submit(next, items, None)
        yield item


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
