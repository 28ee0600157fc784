"""The trials that run now: hands them to workers, waits for them and reports their progress."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import replace
from pathlib import Path

from autorec_core.block import Block
from autorec_core.recommender import Recommender
from autorec_core.search.listener import Listener
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.settings import SearchSettings
from autorec_core.search.space import resolved
from autorec_core.search.trials import Trials
from autorec_core.search.workers import make_workers
from autorec_core.training import Limits, Outcome, Rows, Task

_POLL_SECONDS = 0.2


class RunningTrials:
    """The trials that the workers are training now.

    Args:
        recommender: The search space.
        settings: How to search.
        objective: The name of the metric that decides, such as `val_mse`.
        trials: What is known of each trial.
        listener: Is told when a trial starts, and each row of its learning curve.
        executor: Where trials run instead of local processes, or None.

    Raises:
        UnreachableError: No Dask cluster answers at the address in `settings`.
    """

    def __init__(
        self,
        recommender: Recommender,
        settings: SearchSettings,
        objective: str,
        trials: Trials,
        listener: Listener,
        executor: Executor | None,
    ) -> None:
        self._recommender = recommender
        self._settings = settings
        self._objective = objective
        self._trials = trials
        self._listener = listener
        self._modules = _modules()
        self._running: dict[Future[Outcome], Task] = {}
        self._reported: dict[int, int] = {}
        self._restarted: set[int] = set()
        self._workers = make_workers(
            settings.workers,
            most=settings.max_trials,
            executor=executor,
            address=settings.address,
            modules=self._modules,
            report=self._report,
        )
        self.size = self._workers.size
        """How many trials can run at the same time."""

    def __len__(self) -> int:
        return len(self._running)

    def share(self, train: Rows, valid: Rows, folder: Path) -> None:
        """Brings the rows to the workers; `folder` is for those that share this machine's disk."""
        self._train = self._workers.share(train, folder / "train")
        self._valid = self._workers.share(valid, folder / "valid")

    def submit(
        self,
        trial: TrialRecord,
        limits: Limits,
        *,
        reported: int = 0,
        checkpoint: bytes | None = None,
        wanted_if: float | None = None,
    ) -> None:
        """Hands a trial to a worker.

        Args:
            trial: The record of the trial.
            limits: Where the training pauses or stops.
            reported: How many rows of the learning curve the listener has already been told.
            checkpoint: The state from which the training continues; None to train from the start.
            wanted_if: The worker sends the model only if its score is better than this one; None
                for always.
        """
        task = Task(
            number=trial.number,
            recommender=resolved(self._recommender, trial.hyperparameters).get_config(),
            train=self._train,
            valid=self._valid,
            budget=replace(self._settings.budget, epochs=trial.epochs),
            objective=self._objective,
            seed=self._settings.seed,
            modules=self._modules,
            wanted_if=wanted_if,
            limits=limits,
            checkpoint=checkpoint,
        )
        self._reported[trial.number] = reported
        self._listener.on_trial_start(trial.running())
        self._running[self._workers.submit(task)] = task

    def ended(self) -> Iterator[tuple[int, Outcome]]:
        """Waits briefly, then yields the number and outcome of each trial that has ended."""
        done, _ = wait(self._running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        for number, row in self._workers.rows():
            self._report(number, row)
        for future in sorted(done, key=lambda future: self._running[future].number):
            task = self._running.pop(future)
            try:
                outcome = future.result()
            except self._workers.deaths as death:
                if isinstance(death, CancelledError) and task.number not in self._restarted:
                    self._restarted.add(task.number)  # its rows were lost with another worker
                    renewed = replace(task, train=self._train, valid=self._valid)
                    self._running[self._workers.submit(renewed)] = renewed
                    continue
                outcome = Outcome(
                    reason="the worker process died; the system may have been out of memory",
                    passing=True,
                )
            for row in outcome.curve:
                self._report(task.number, row)
            yield task.number, outcome

    def close(self, *, kill: bool) -> None:
        """Ends the workers, in the middle of their trials if `kill`."""
        self._workers.close(kill=kill)

    def _report(self, number: int, row: dict[str, float]) -> None:
        """Passes a row to the listener once: it may come early and again with the outcome."""
        if row["step"] == self._reported.get(number, 0) + 1:
            self._reported[number] = int(row["step"])
            self._listener.on_epoch(self._trials.here[number].running(), row)


def _modules() -> tuple[str, ...]:
    """The modules outside this package that define blocks."""
    modules = {block.__module__ for block in Block.registry.values()}
    return tuple(sorted(m for m in modules if m.partition(".")[0] != "autorec_core"))
