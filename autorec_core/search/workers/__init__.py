"""Where trials run: this process, local worker processes, a Dask cluster, or any executor."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any, Protocol

from autorec_core.training import CompiledModels, Outcome, Rows, StoredRows, Task, run_trial

Row = dict[str, float]

_log = logging.getLogger(__name__)


class Workers(Protocol):
    """What a search needs from the place where its trials run."""

    size: int
    deaths: tuple[type[BaseException], ...]
    """The exceptions that the future of a trial raises if its worker died."""

    def share(self, rows: Rows, folder: Path) -> Any:
        """Sends rows to the workers once. Returns what a task contains in place of the rows."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Starts a trial. It is only called while fewer than `size` trials run."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yields the new rows of the learning curves of running trials, with the trial number."""

    def close(self, *, kill: bool) -> None:
        """Stops the workers; with `kill` in the middle of their trials."""


class InlineWorkers:
    """Runs trials one by one in this process, for debugging and for small data.

    Args:
        report: Called with the number of a trial and each row of its learning curve.
    """

    size = 1
    deaths: tuple[type[BaseException], ...] = ()

    def __init__(self, report: Callable[[int, Row], None]) -> None:
        self._report = report
        self._models = CompiledModels()

    def share(self, rows: Rows, folder: Path) -> Rows:
        """Returns the rows themselves."""
        return rows

    def submit(self, task: Task) -> Future[Outcome]:
        """Runs the trial before it returns. An error caused by a bug is raised here."""
        future: Future[Outcome] = Future()
        outcome = run_trial(task, lambda row: self._report(task.number, row), self._models)
        future.set_result(outcome)
        return future

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yields nothing: the rows have already been reported."""
        return iter(())

    def close(self, *, kill: bool) -> None:
        """Does nothing: there is no worker to stop."""


class ExecutorWorkers:
    """Runs trials on an executor of the caller, for example that of a cluster.

    Args:
        executor: Any `concurrent.futures.Executor` whose workers can import this package and read
            the folder of the search.
        size: How many trials run at the same time.
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
        """Yields nothing: the learning curve comes with the outcome of the trial."""
        return iter(())

    def close(self, *, kill: bool) -> None:
        """Does nothing: the caller stops the executor."""


def make_workers(
    size: int | None,
    *,
    most: int,
    executor: Executor | None,
    address: str | None,
    modules: Sequence[str],
    report: Callable[[int, Row], None],
) -> Workers:
    """Makes the workers for the settings of a search.

    Args:
        size: How many trials run at the same time; 0 to run them in this process, None for one for
            each processor or cluster worker.
        most: The largest number of trials.
        executor: Runs the trials, if the caller has one.
        address: The address of a Dask scheduler, if the trials run on its cluster.
        modules: The modules outside this package that define blocks.
        report: Called by workers in this process with the number of a trial and each row of its
            learning curve.

    Raises:
        UnreachableError: No Dask cluster answers at `address`.
    """
    if executor is not None:
        return ExecutorWorkers(executor, size or 1)
    if size == 0:
        return InlineWorkers(report)
    if "__main__" in modules:
        _log.warning(
            "A block is defined in the main program, so worker processes cannot import it. "
            "Trials run in this process. Put the block into a module of its own."
        )
        return InlineWorkers(report)
    if address is not None:
        from autorec_core.search.workers.cluster import DaskWorkers

        return DaskWorkers(address, size)
    from autorec_core.search.workers.processes import ProcessWorkers

    return ProcessWorkers(size or min(processors(), most))


def processors() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
