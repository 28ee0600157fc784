"""Where trials run: in this process, in local worker processes, or on any executor."""

from __future__ import annotations

import functools
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any, Protocol

from autorec_core.training import Outcome, Rows, StoredRows, Task, run_trial

Row = dict[str, float]
_TRIALS_A_PROCESS = 20  # a process grows by some 10 MB a trial, so it is replaced now and then


class Workers(Protocol):
    """What a search needs of the place where its trials run."""

    size: int

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


class ProcessWorkers:
    """Runs trials in processes of this machine, each with one thread.

    One thread, because sums over several threads round differently: a score must not depend on how
    many processors or workers there are. Two such processes also train more than one with two.

    Each process is a pool of its own, so that when one dies, of what it had grown into perhaps, it
    is known which trial it took along, and the others go on.

    Args:
        size: Number of processes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._slots = [_Slot() for _ in range(size)]

    def share(self, rows: Rows, folder: Path) -> StoredRows:
        """Writes the rows once, for all processes to map into memory."""
        return rows.save(folder)

    def submit(self, task: Task) -> Future[Outcome]:
        """Runs the trial in a process that has none."""
        slot = next(slot for slot in self._slots if slot.free)
        return slot.submit(task)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Rows that the processes have sent."""
        for slot in self._slots:
            yield from slot.rows()

    def close(self, *, kill: bool) -> None:
        """Ends the processes."""
        for slot in self._slots:
            slot.close(kill=kill)


class ExecutorWorkers:
    """Runs trials on an executor that somebody else has made, a cluster's for instance.

    Args:
        executor: Any `concurrent.futures.Executor` whose workers can import this package and read
            the search's folder.
        size: Trials at a time.
    """

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


class _Slot:
    """One worker process, renewed when it has died or has run enough trials."""

    def __init__(self) -> None:
        self._running: Future[Outcome] | None = None
        self._done = 0
        self._start()

    @property
    def free(self) -> bool:
        return self._running is None or self._running.done()

    def submit(self, task: Task) -> Future[Outcome]:
        if self._done >= _TRIALS_A_PROCESS or self._has_died():
            self.close(kill=False)
            self._start()
        with _without_main_module():
            self._running = self._pool.submit(_run_reporting, task)
        self._done += 1
        return self._running

    def rows(self) -> Iterator[tuple[int, Row]]:
        while self._reader.poll():
            try:
                yield self._reader.recv()
            except EOFError:
                return

    def close(self, *, kill: bool) -> None:
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=not kill, cancel_futures=True)
        if kill:
            for process in processes:
                process.kill()
        self._writer.close()

    def _start(self) -> None:
        self._done = 0
        context = SpawnContext()
        self._reader, self._writer = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=context,
            initializer=_start_worker,
            initargs=(self._writer,),
        )
        with _without_main_module():
            self._pool.submit(_make_ready)  # while the search prepares

    def _has_died(self) -> bool:
        running = self._running
        return (
            running is not None
            and running.done()
            and not running.cancelled()
            and isinstance(running.exception(), BrokenProcessPool)
        )


_progress: multiprocessing.connection.Connection | None = None


def _start_worker(progress: Any) -> None:
    """Lets a new process end with its parent and send it rows."""
    global _progress
    _progress = progress
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


@functools.cache
def _make_ready() -> None:
    """Imports what a trial needs and keeps to one thread."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from autorec_core.registration import register_layers

    register_layers()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with(sentinel: int) -> None:
    """Ends this process when its parent has ended, however it did."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _run_reporting(task: Task) -> Outcome:
    _make_ready()

    def report(row: Row) -> None:
        if _progress is not None:
            _progress.send((task.number, row))

    return run_trial(task, report)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keeps new processes from importing the program that searches.

    They need nothing of it, and a program without the `__main__` guard would search again in each.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
