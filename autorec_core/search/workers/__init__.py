"""Where trials run: in this process, in local worker processes, on a cluster, on any executor."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any, Protocol

from autorec_core.training import Outcome, Rows, StoredRows, Task, run_trial

Row = dict[str, float]

_log = logging.getLogger(__name__)


class Workers(Protocol):
    """What a search needs of the place where its trials run."""

    size: int
    deaths: tuple[type[BaseException], ...]
    """What a trial's future holds when the trial's worker has died of it."""

    def share(self, rows: Rows, folder: Path) -> Any:
        """Brings rows to the workers, once; gives what a task is to carry in their place."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Runs a trial; called only while fewer than `size` are running."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Rows of running trials' curves that have come in, each with its trial's number."""

    def close(self, *, kill: bool) -> None:
        """Ends the workers, in the middle of their trials if `kill`."""


class InlineWorkers:
    """Runs trials one by one in this process, for debugging and for small data.

    Args:
        report: Called with a trial's number and each row of its curve.
    """

    size = 1
    deaths: tuple[type[BaseException], ...] = ()

    def __init__(self, report: Callable[[int, Row], None]) -> None:
        self._report = report

    def share(self, rows: Rows, folder: Path) -> Rows:
        """The rows themselves."""
        return rows

    def submit(self, task: Task) -> Future[Outcome]:
        """Runs the trial before it returns; a bug in it is raised here."""
        future: Future[Outcome] = Future()
        future.set_result(run_trial(task, lambda row: self._report(task.number, row)))
        return future

    def rows(self) -> Iterator[tuple[int, Row]]:
        """None: they have been reported already."""
        return iter(())

    def close(self, *, kill: bool) -> None:
        """Nothing to end."""


class ExecutorWorkers:
    """Runs trials on an executor that somebody else has made, a cluster's for instance.

    Args:
        executor: Any `concurrent.futures.Executor` whose workers can import this package and read
            the search's folder.
        size: Trials at a time.
    """

    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, executor: Executor, size: int) -> None:
        self._executor = executor
        self.size = size

    def share(self, rows: Rows, folder: Path) -> StoredRows:
        """Writes the rows once, for all workers to map into memory."""
        return rows.save(folder)

    def submit(self, task: Task) -> Future[Outcome]:
        """Hands the trial to the executor."""
        return self._executor.submit(run_trial, task)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """None: a curve comes with its trial's outcome."""
        return iter(())

    def close(self, *, kill: bool) -> None:
        """Nothing: whoever made the executor ends it."""


def make_workers(
    size: int | None,
    *,
    most: int,
    executor: Executor | None,
    address: str | None,
    modules: Sequence[str],
    report: Callable[[int, Row], None],
) -> Workers:
    """The workers that a search's settings ask for.

    Args:
        size: Trials at a time; 0 for this process, None for one a processor or cluster worker.
        most: Trials that there will be at most.
        executor: Where trials run, if somebody else says so.
        address: The address of a Dask scheduler, if trials run on its cluster.
        modules: The modules beyond this package that define blocks.
        report: Called with a trial's number and each row of its curve by workers in this process.

    Raises:
        UnreachableError: No Dask cluster answers at `address`.
    """
    if executor is not None:
        return ExecutorWorkers(executor, size or 1)
    if size == 0:
        return InlineWorkers(report)
    if "__main__" in modules:
        _log.warning(
            "A block is defined in the program itself, so worker processes cannot import "
            "it: trials run in this process. Put the block into a module of its own."
        )
        return InlineWorkers(report)
    if address is not None:
        from autorec_core.search.workers.cluster import DaskWorkers

        return DaskWorkers(address, size)
    from autorec_core.search.workers.processes import ProcessWorkers

    return ProcessWorkers(size or min(processors(), most))


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
