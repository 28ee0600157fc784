"""Runs functions on partitions, in threads of this process or on a Dask cluster.

Both use the same functions and partitions and return results in the order of the partitions. The
files that are written are therefore the same, byte for byte.
"""

from __future__ import annotations

import os
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from autorec_core.cluster import CHECK_SECONDS, Watch, connect

AHEAD = 2
"""Partitions per worker thread that are submitted: enough to keep it busy in little memory."""
MOST_THREADS = 8
"""The most threads; each holds a partition in memory."""
SENT_BY_ITSELF = 1 << 18
"""Partitions with more bytes than this are sent to workers without the scheduler."""


T = TypeVar("T")


class Compute(Protocol):
    """Runs a function on partitions."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether partitions are sent to other processes."""

    def can_access(self, folder: Path, files: Sequence[Path]) -> bool:
        """Returns whether all workers can read the files and write to the folder, which exists."""

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Generator[Any]:
        """Yields the function's result for the arguments of each call, in order.

        A few calls run ahead. The last argument of each call is the partition. After an error no
        call is running.
        """


class LocalThreads:
    """Runs functions in threads of this process. Nearly all of the work releases Python's lock.

    Args:
        threads: Number of threads; by default the number of processors, but at most `MOST_THREADS`.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads

    @property
    def is_elsewhere(self) -> bool:
        """See `Compute.is_elsewhere`."""
        return False

    def can_access(self, folder: Path, files: Sequence[Path]) -> bool:
        """See `Compute.can_access`."""
        return True

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Generator[Any]:
        """See `Compute.map`."""
        threads = self._threads or min(processors(), MOST_THREADS)
        with ThreadPoolExecutor(threads) as pool:
            yield from _in_order(
                lambda call: pool.submit(function, *call),
                calls,
                threads + 1,
                Future.cancel,
                Future.result,
            )


LOCAL = LocalThreads()


class Cluster:
    """Runs functions on the workers of a Dask cluster.

    Args:
        client: A client of `distributed`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._watch = Watch(client)
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self._window = AHEAD * sum(worker["nthreads"] for worker in workers)

    @property
    def is_elsewhere(self) -> bool:
        """See `Compute.is_elsewhere`."""
        return True

    def can_access(self, folder: Path, files: Sequence[Path]) -> bool:
        """See `Compute.can_access`."""
        sizes = [(file, file.stat().st_size) for file in files]
        name = uuid.uuid4().hex
        try:
            answers = self._client.run(_finds, folder, name, sizes)
            return all(answers.values()) and len(list(folder.glob(f"{name}-*"))) == len(answers)
        finally:
            for left in folder.glob(f"{name}-*"):
                left.unlink()

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Generator[Any]:
        """See `Compute.map`.

        Raises:
            UnreachableError: The cluster has lost its scheduler or all of its workers.
        """
        from distributed.scheduler import KilledWorker

        executor = self._client.get_executor(pure=False)

        def submit(call: tuple[Any, ...]) -> Future[Any]:
            *settings, partition = call
            if getattr(partition, "nbytes", 0) > SENT_BY_ITSELF:
                self._watch.wait()
                partition = self._client.scatter(partition, hash=False)
            running: Future[Any] = executor.submit(function, *settings, partition)
            return running

        def result(call: Future[Any]) -> Any:
            # The result too lies on a worker, so a call that has ended can still be lost.
            while not wait([call], CHECK_SECONDS).done:
                self._watch.check()
            try:
                return call.result()
            except (CancelledError, KilledWorker) as error:
                raise self._watch.lost() from error

        def give_up(call: Future[Any]) -> None:
            with suppress(Exception):
                result(call)

        yield from _in_order(submit, calls, self._window, give_up, result)


def _in_order(
    submit: Callable[[tuple[Any, ...]], Future[Any]],
    calls: Iterable[tuple[Any, ...]],
    window: int,
    give_up: Callable[[Future[Any]], Any],
    result: Callable[[Future[Any]], Any],
) -> Generator[Any]:
    """Yields the results of calls in their order, with at most `window` calls at a time."""
    waiting: deque[Future[Any]] = deque()
    remaining = iter(calls)
    failure = None
    try:
        while failure is None:
            try:
                waiting.append(submit(next(remaining)))
            except StopIteration:
                break
            except Exception as error:  # errors of earlier partitions are raised first
                failure = error
            if len(waiting) >= window:
                yield result(waiting.popleft())
        while waiting:
            yield result(waiting.popleft())
    finally:
        for one in waiting:
            give_up(one)
    if failure is not None:
        raise failure


def _finds(folder: Path, name: str, files: Sequence[tuple[Path, int]]) -> bool:
    """Returns whether a worker sees files of these sizes and can create a file in the folder."""
    try:
        (folder / f"{name}-{uuid.uuid4().hex}").touch()
        return all(file.stat().st_size == size for file, size in files)
    except OSError:
        return False


@contextmanager
def run_ahead(items: Generator[T]) -> Iterator[Iterator[T]]:
    """Runs a generator in a thread, one item ahead of the caller, and gives its items."""
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(next, items, None)
        try:
            yield _next_items(thread, first, items)
        finally:
            thread.submit(items.close).result()


def _next_items(
    thread: ThreadPoolExecutor, coming: Future[T | None], items: Iterator[T]
) -> Iterator[T]:
    while (item := coming.result()) is not None:
        coming = thread.submit(next, items, None)
        yield item


def processors() -> int:
    """Returns the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def compute_at(address: str | None) -> Iterator[Compute]:
    """Gives the Dask cluster at `address`, or threads of this process if it is None.

    Raises:
        UnreachableError: No scheduler answers there, or it has no workers.
    """
    if address is None:
        yield LOCAL
        return
    client = connect(address)
    try:
        yield Cluster(client)
    finally:
        client.close()
