"""Runs trials on a Dask cluster. The workers need no access to the disk of the main process.

The rows are sent to each worker once, through the cluster. A worker that joins later gets them from
another worker. The checkpoint of a paused trial comes back with its outcome. It is sent to the
worker that continues the trial, which may be another one.
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

from autorec_core.cluster import Watch, connect
from autorec_core.search.workers import Row
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import Outcome, Rows, StoredRows, Task, run_trial

_BESIDE = StoredRows({})  # rows are sent as Dask futures, not inside the task


class DaskWorkers:
    """Runs trials on the workers of a Dask cluster, by default one on each worker.

    Start each worker with one thread: TensorFlow has only one thread in each process.

    Args:
        address: The address of the scheduler, such as `tcp://host:8786`.
        size: How many trials run at the same time; None for one on each worker.

    Raises:
        UnreachableError: No scheduler answers at this address, or it has no workers.
    """

    deaths: tuple[type[BaseException], ...] = (KilledWorker, CancelledError)

    def __init__(self, address: str, size: int | None) -> None:
        self._client = connect(address)
        self._watch = Watch(self._client)
        self.size = size or len(self._client.scheduler_info(n_workers=-1)["workers"])
        self._executor = self._client.get_executor(pure=False)
        self._shared: list[tuple[Rows, Any]] = []
        self._rows: queue.SimpleQueue[tuple[int, Row]] = queue.SimpleQueue()
        self._topic = f"autorec-{uuid.uuid4()}"
        self._client.subscribe_topic(self._topic, lambda event: self._rows.put(event[1]))

    def share(self, rows: Rows, folder: Path) -> Any:
        """Sends the rows to all workers, and returns their number."""
        self._shared.append((rows, self._sent(rows)))
        return len(self._shared) - 1

    def submit(self, task: Task) -> Future[Outcome]:
        """Hands the trial to the cluster.

        Raises:
            UnreachableError: The cluster is lost.
        """
        self._watch.wait()
        rows = [self._still_there(place) for place in (task.train, task.valid)]
        bare = replace(task, train=_BESIDE, valid=_BESIDE, checkpoint=None)
        checkpoint = task.checkpoint and self._scattered(task.checkpoint)
        outcome: Future[Outcome] = self._executor.submit(
            _run_on_cluster, bare, *rows, checkpoint, self._topic
        )
        return outcome

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yields the rows that the workers have sent.

        Raises:
            UnreachableError: The cluster is lost.
        """
        self._watch.check()
        while not self._rows.empty():
            yield self._rows.get()

    def close(self, *, kill: bool) -> None:
        """Disconnects from the cluster, which then deletes the rows and trials of this search."""
        if kill:
            self._executor.shutdown(wait=False)
        self._client.close()

    def _sent(self, rows: Rows) -> Any:
        return self._scattered(rows, broadcast=True)

    def _scattered(self, content: Any, *, broadcast: bool = False) -> Any:
        try:
            return self._client.scatter(content, broadcast=broadcast, hash=False)
        except (TimeoutError, OSError) as error:  # the last worker went in this moment
            raise self._watch.lost() from error

    def _still_there(self, place: Any) -> Any:
        """Returns the rows on the cluster; sends them again if all workers with them are gone."""
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
