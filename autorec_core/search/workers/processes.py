"""Worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from autorec_core.search.workers import Row
from autorec_core.training import Outcome, Rows, StoredRows, Task, run_trial

_TRIALS_A_PROCESS = 20  # a process grows by some 10 MB a trial, so it is replaced now and then


class ProcessWorkers:
    """Runs trials in processes of this machine, each with one thread.

    One thread, because sums over several threads round differently: a score must not depend on how
    many processors or workers there are. Two such processes also train more than one with two.

    Each process is a pool of its own, so that when one dies, of what it had grown into perhaps, it
    is known which trial it took along, and the others go on.

    Args:
        size: Number of processes.
    """

    deaths: tuple[type[BaseException], ...] = (BrokenProcessPool,)

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
            self._pool.submit(make_ready)  # while the search prepares

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
    end_with_parent()


def end_with_parent() -> None:
    """Has this process end as soon as the one that has started it has."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


_ready = threading.Lock()


def make_ready() -> None:
    """Imports what a trial needs in a worker process and keeps TensorFlow to one thread there."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _ready:
        from autorec_core.registration import register_layers

        register_layers()
        import tensorflow as tf

        # Where TensorFlow is at work already (workers that share a process), it stays as it is.
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with(sentinel: int) -> None:
    """Ends this process when its parent has ended, however it did."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _run_reporting(task: Task) -> Outcome:
    make_ready()

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
