"""Trials on a Dask cluster, which needs neither the driver's disk nor more of it than its address.

The rows go to each worker once, through the cluster itself. A worker that joins later, or takes
over from one that has died, gets them from another. A paused trial's checkpoint comes back with
its outcome and goes to the worker that the trial goes on at, which may be another one.
"""

from __future__ import annotations

import queue
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.scheduler import KilledWorker

from autorec_core.cluster import connect
from autorec_core.search.workers import Row
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import Outcome, Rows, StoredRows, Task, run_trial

_BESIDE = StoredRows({})  # rows travel beside a task, as Dask's futures


class DaskWorkers:
    """Runs trials on the workers of a Dask cluster, by default as many as there are workers.

    Start workers with one thread each: trials within one process share its one.

    Args:
        address: The scheduler's address, such as `tcp://host:8786`.
        size: Trials at a time; None for one a worker.

    Raises:
        UnreachableError: No scheduler answers there, or it has no workers.
    """

    deaths: tuple[type[BaseException], ...] = (KilledWorker, CancelledError)

    def __init__(self, address: str, size: int | None) -> None:
        self._client = connect(address)
        self.size = size or len(self._client.scheduler_info(n_workers=-1)["workers"])
        self._executor = self._client.get_executor(pure=False)
        self._shared: list[tuple[Rows, Any]] = []
        self._rows: queue.SimpleQueue[tuple[int, Row]] = queue.SimpleQueue()
        self._topic = f"autorec-{uuid.uuid4()}"
        self._client.subscribe_topic(self._topic, lambda event: self._rows.put(event[1]))

    def share(self, rows: Rows, folder: Path) -> Any:
        """Sends the rows to all workers, and gives their place among what has been sent."""
        self._shared.append((rows, self._sent(rows)))
        return len(self._shared) - 1

    def submit(self, task: Task) -> Future[Outcome]:
        """Hands the trial to the cluster."""
        rows = [self._still_there(place) for place in (task.train, task.valid)]
        bare = replace(task, train=_BESIDE, valid=_BESIDE, checkpoint=None)
        checkpoint = task.checkpoint and self._client.scatter(task.checkpoint, hash=False)
        outcome: Future[Outcome] = self._executor.submit(
            _run_on_cluster, bare, *rows, checkpoint, self._topic
        )
        return outcome

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Rows that the workers have sent."""
        while not self._rows.empty():
            yield self._rows.get()

    def close(self, *, kill: bool) -> None:
        """Leaves the cluster, which then forgets rows and trials of this search."""
        if kill:
            self._executor.shutdown(wait=False)
        self._client.close()

    def _sent(self, rows: Rows) -> Any:
        return self._client.scatter(rows, broadcast=True, hash=False)

    def _still_there(self, place: Any) -> Any:
        """The rows on the cluster, sent again if all workers that had them are gone."""
        rows, sent = self._shared[place]
        if sent.status != "finished":
            sent = self._sent(rows)
            self._shared[place] = (rows, sent)
        return sent


def _run_on_cluster(
    task: Task, train: Rows, valid: Rows, checkpoint: bytes | None, topic: str
) -> Outcome:
    make_ready()
    worker = get_worker()

    def report(row: Row) -> None:
        worker.log_event(topic, (task.number, row))

    return run_trial(replace(task, train=train, valid=valid, checkpoint=checkpoint), report)
