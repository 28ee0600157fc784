"""Runs trials in worker processes on this machine."""

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
from autorec_core.training import CompiledModels, Outcome, Rows, StoredRows, Task, run_trial

_MODELS_A_PROCESS = 20  # a process grows by 10 MB for each model, so it is replaced now and then


class ProcessWorkers:
    """Runs trials in processes of this machine, each with one thread.

    Sums over several threads are rounded differently. With one thread a score does not depend on
    the number of processors or workers. Two such processes are also faster than one process with
    two threads.

    Each process is a pool of its own. If a process dies, for example because it used too much
    memory, it is clear which trial it was running, and the other processes continue.

    Args:
        size: Number of processes.
    """

    deaths: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, size: int) -> None:
        self.size = size
        self._slots = [_Slot() for _ in range(size)]
        self._ran: dict[int, _Slot] = {}

    def share(self, rows: Rows, folder: Path) -> StoredRows:
        """Writes the rows once, for all processes to map into memory."""
        return rows.save(folder)

    def submit(self, task: Task) -> Future[Outcome]:
        """Runs the trial in a process that has none, if possible the one that has its model."""
        free = [slot for slot in self._slots if slot.free]
        earlier = self._ran.get(task.number)
        slot = earlier if earlier in free else free[0]
        self._ran[task.number] = slot
        return slot.submit(task)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yields the rows that the processes have sent."""
        for slot in self._slots:
            yield from slot.rows()

    def close(self, *, kill: bool) -> None:
        """Stops the processes."""
        for slot in self._slots:
            slot.close(kill=kill)


class _Slot:
    """One worker process; a new one replaces it when it has died or has built enough models."""

    def __init__(self) -> None:
        self._running: Future[Outcome] | None = None
        self._built = 0
        self._start()

    @property
    def free(self) -> bool:
        return self._running is None or self._running.done()

    def submit(self, task: Task) -> Future[Outcome]:
        self._built += self._has_built()
        if self._built >= _MODELS_A_PROCESS or self._has_died():
            self.close(kill=False)
            self._start()
        with _without_main_module():
            self._running = self._pool.submit(_run_reporting, task)
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
        self._built = 0
        self._running = None
        context = SpawnContext()
        self._reader, self._writer = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=context,
            initializer=_start_worker,
            initargs=(self._writer,),
        )
        with _without_main_module():
            self._pool.submit(make_ready)  # while the search still prepares its first trial

    def _has_died(self) -> bool:
        return isinstance(self._error(), BrokenProcessPool)

    def _has_built(self) -> bool:
        """Returns whether the last trial of the process has built a model."""
        running = self._running
        if running is None or running.cancelled() or self._error() is not None:
            return False
        return not running.result().reused

    def _error(self) -> BaseException | None:
        """Returns the exception of the last trial of the process, if there was one."""
        running = self._running
        if running is None or running.cancelled() or not running.done():
            return None
        return running.exception()


_progress: multiprocessing.connection.Connection | None = None
_models = CompiledModels()


def _start_worker(progress: Any) -> None:
    """Makes a new process end with its parent, and send rows to it."""
    global _progress
    _progress = progress
    end_with_parent()


def end_with_parent() -> None:
    """Makes this process end as soon as its parent process has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


_ready = threading.Lock()


def make_ready() -> None:
    """Imports what a trial needs in a worker process, and limits TensorFlow to one thread."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _ready:
        from autorec_core.registration import register_layers

        register_layers()
        import tensorflow as tf

        # If TensorFlow already runs (workers in the same process), its threads cannot be changed.
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with(sentinel: int) -> None:
    """Ends this process when its parent process has ended, for any reason."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _run_reporting(task: Task) -> Outcome:
    make_ready()

    def report(row: Row) -> None:
        if _progress is not None:
            _progress.send((task.number, row))

    return run_trial(task, report, _models)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keeps new processes from importing the program that searches.

    They do not need it, and a program without a `__main__` guard would search again in each one.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
