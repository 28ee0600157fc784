"""Runs a search: has the trials run that the oracle proposes, and keeps records."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from autorec_core.block import Block
from autorec_core.errors import SearchError
from autorec_core.metrics import objective_metric
from autorec_core.recommender import Recommender
from autorec_core.search.dialogue import Dialogue
from autorec_core.search.listener import Listener, SearchPlan
from autorec_core.search.oracles import make_oracle
from autorec_core.search.records import TrialRecord, ranked
from autorec_core.search.result import SearchResult
from autorec_core.search.space import resolved, search_space
from autorec_core.search.store import Store, code_hash, data_hash
from autorec_core.search.workers import make_workers
from autorec_core.training import Budget, Outcome, Rows, Task

_POLL_SECONDS = 0.2

_log = logging.getLogger(__name__)


def run_search(
    recommender: Recommender,
    train: Rows,
    valid: Rows,
    *,
    directory: Path,
    tuner: str,
    max_trials: int,
    budget: Budget,
    seed: int,
    objective: str | None = None,
    workers: int | None = None,
    max_failures: int = 3,
    seconds: float | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
    executor: Executor | None = None,
    address: str | None = None,
) -> SearchResult:
    """Searches for the recommender that is best on `valid`.

    Args:
        recommender: The search space.
        train: The rows to learn from.
        valid: The rows that score each candidate.
        directory: The folder for searches; this one makes a folder of its own in it, named by a
            hash of everything that decides the result, and goes on there if it was interrupted.
        tuner: "random", "greedy", "bayesian" or "hyperband".
        max_trials: At most so many trials; more than before continue a finished search.
        budget: How long a candidate may train.
        seed: Decides what is tried, and every candidate's training.
        objective: What is best, such as `val_mse`; None for the task's own.
        workers: Trials at a time, each in a process of its own; 0 runs them in this process, None
            is one a processor.
        max_failures: Failed trials in a row that end the search.
        seconds: No trial starts later than this after the search's begin; None for no limit.
        overwrite: Whether to forget an earlier run of this very search.
        listener: Hears of events.
        executor: Where trials run instead of local processes, `workers` at a time.
        address: The address of the Dask scheduler whose workers run the trials, None for this
            machine; without `workers`, one trial a Dask worker.

    Raises:
        UnreachableError: No Dask cluster answers at `address`.
        SearchError: Too many trials in a row have failed, or none has completed.
        ConfigError: There is no such tuner or objective.
    """
    objective = objective or recommender.optimizer.objective
    metric = objective_metric(objective, recommender.optimizer.task)
    space = search_space(recommender)
    oracle = make_oracle(
        tuner,
        space,
        objective=objective,
        direction=metric.direction,
        seed=seed,
        epochs=budget.epochs,
    )
    decides = {
        "recommender": recommender.get_config(),
        "data": data_hash(train, valid),
        "tuner": tuner,
        "objective": objective,
        "budget": asdict(budget),
        "seed": seed,
        "code": code_hash(),
        "versions": {m.__name__: m.__version__ for m in (keras, keras_tuner, np, tf)},
    }
    store = Store(directory, decides, metric)
    records = _without_retries(store.open(overwrite=overwrite))
    plan = SearchPlan(
        objective=objective,
        metric=metric,
        tuner=tuner,
        max_trials=max_trials,
        epochs=budget.epochs,
        workers=1,  # until they are there
        directory=store.folder,
        finished=tuple(record for record in records.values() if record.status != "running"),
    )
    search = _Search(
        recommender=recommender,
        space=space,
        oracle=oracle,
        store=store,
        records=records,
        plan=plan,
        budget=budget,
        seed=seed,
        max_failures=max_failures,
        deadline=None if seconds is None else time.monotonic() + seconds,
        listener=listener or Listener(),
    )
    return search.run(train, valid, workers, executor, address)


class _Search:
    """One run of a search."""

    def __init__(
        self,
        *,
        recommender: Recommender,
        space: keras_tuner.HyperParameters,
        oracle: Any,
        store: Store,
        records: dict[int, TrialRecord],
        plan: SearchPlan,
        budget: Budget,
        seed: int,
        max_failures: int,
        deadline: float | None,
        listener: Listener,
    ) -> None:
        self._recommender = recommender
        self._space = space
        self._store = store
        self._records = records
        self._dialogue = Dialogue(oracle, records, plan.max_trials)
        self._plan = plan
        self._budget = budget
        self._seed = seed
        self._max_failures = max_failures
        self._deadline = deadline
        self._listener = listener
        self._modules = _modules()
        self._failures = 0
        self._trials: dict[int, TrialRecord] = {}
        self._running: dict[Future[Outcome], int] = {}
        self._reported: dict[int, int] = {}
        self._restarted: set[int] = set()

    def run(
        self,
        train: Rows,
        valid: Rows,
        workers: int | None,
        executor: Executor | None,
        address: str | None,
    ) -> SearchResult:
        began = time.monotonic()
        constant = np.full(len(valid), train.labels.mean(dtype=np.float64))
        constant_score = self._plan.metric(valid.labels, constant)
        self._workers = make_workers(
            workers,
            most=self._plan.max_trials,
            executor=executor,
            address=address,
            modules=self._modules,
            report=self._report,
        )
        killed = True
        try:
            self._dialogue.workers = self._workers.size
            self._plan = replace(self._plan, workers=self._workers.size)
            self._listener.on_search_start(self._plan)
            self._train = self._workers.share(train, self._store.data / "train")
            self._valid = self._workers.share(valid, self._store.data / "valid")
            self._loop()
            self._train_lost_winner()
            killed = False
        finally:
            self._workers.close(kill=killed)
            self._store.drop_data()
        result = self._result(constant_score, time.monotonic() - began)
        self._listener.on_search_end(result)
        return result

    def _loop(self) -> None:
        while True:
            self._tell_what_is_due()
            if self._dialogue.may_ask(len(self._running), late=self._late()):
                self._ask()
            elif self._running:
                self._wait()
            elif self._dialogue.nothing_to_tell:
                return
            else:
                self._dialogue.go_on()  # nothing runs: what is known is told, whatever the order

    def _train_lost_winner(self) -> None:
        """Runs the best trial again if its model is lost, or was dropped for one now forgotten."""
        best = self._best()
        while best is not None and not self._store.model_path(best.number).exists():
            self._start(replace(best, status="running", score=None, curve=()))
            while self._running:
                self._wait()
            best = self._best()

    def _tell_what_is_due(self) -> None:
        for trial in self._dialogue.tell_what_is_due(self._trials):
            self._failures = self._failures + 1 if trial.status == "failed" else 0
            if self._failures >= self._max_failures:
                raise SearchError(
                    f"{self._failures} trials in a row have failed, so the search stops. The last "
                    f"one, trial {trial.number}: {trial.reason}. Settings and reasons of all "
                    f"trials are in {self._store.folder / 'trials'}."
                )

    def _late(self) -> bool:
        return bool(
            self._deadline is not None and time.monotonic() >= self._deadline and self._trials
        )

    def _ask(self) -> None:
        proposal = self._dialogue.ask()
        if proposal is None:
            return
        number, values = proposal.number, proposal.hyperparameters
        record = self._records.get(number)
        if record is not None and dict(record.hyperparameters) != values:
            self._store.forget(record, "the oracle proposes something else for this trial")
            record = None
        if record is not None and record.status != "running":
            self._trials[number] = record
            return
        self._start(
            TrialRecord(
                number=number,
                hyperparameters=values,
                known=proposal.known,
                epochs=proposal.epochs or self._budget.epochs,
            )
        )

    def _start(self, trial: TrialRecord) -> None:
        self._trials[trial.number] = trial
        self._store.write(trial)
        best = self._best()
        task = Task(
            number=trial.number,
            recommender=self._resolved(trial).get_config(),
            train=self._train,
            valid=self._valid,
            budget=replace(self._budget, epochs=trial.epochs),
            objective=self._plan.objective,
            seed=self._seed,
            modules=self._modules,
            wanted_if=None if best is None else best.score,
        )
        self._listener.on_trial_start(trial)
        self._running[self._workers.submit(task)] = trial.number

    def _resolved(self, trial: TrialRecord) -> Recommender:
        return resolved(self._recommender, self._space, trial.hyperparameters)

    def _wait(self) -> None:
        done, _ = wait(self._running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        for number, row in self._workers.rows():
            self._report(number, row)
        for future in sorted(done, key=self._running.__getitem__):
            number = self._running.pop(future)
            try:
                outcome = future.result()
            except self._workers.deaths as death:
                if isinstance(death, CancelledError) and number not in self._restarted:
                    self._restarted.add(number)  # its rows went with a worker: none of its doing
                    self._start(self._trials[number])
                    continue
                outcome = Outcome(
                    reason="the worker process died; the system may have been out of memory",
                    passing=True,
                )
            self._end(number, outcome)

    def _report(self, number: int, row: dict[str, float]) -> None:
        """Passes a row on, once, whether it comes ahead or with the outcome."""
        if row["step"] == self._reported.get(number, 0) + 1:
            self._reported[number] = int(row["step"])
            self._listener.on_epoch(self._trials[number], row)

    def _end(self, number: int, outcome: Outcome) -> None:
        for row in outcome.curve:
            self._report(number, row)
        trial = self._trials[number].ended(outcome)
        # Records of an earlier run count, also those whose turn has not come: their model is kept.
        leader = ranked(
            {**self._records, **self._trials, number: trial}.values(), self._plan.metric
        )
        if leader[0] is trial and outcome.model is not None:
            self._store.write_model(trial, outcome.model)
        self._trials[number] = trial
        self._store.write(trial)
        if leader[0].status == "completed":
            self._store.drop_models(keep=leader[0].number)
        self._store.write_tables(self._trials.values())
        self._listener.on_trial_end(trial)

    def _best(self) -> TrialRecord | None:
        first = next(iter(ranked(self._trials.values(), self._plan.metric)), None)
        return first if first is not None and first.status == "completed" else None

    def _result(self, constant_score: float, seconds: float) -> SearchResult:
        best = self._best()
        if best is None:
            reasons = "; ".join(dict.fromkeys(str(t.reason) for t in self._trials.values()))
            raise SearchError(f"No trial has completed: {reasons}.")
        result = SearchResult(
            objective=self._plan.objective,
            metric=self._plan.metric,
            best=best,
            leaderboard=tuple(ranked(self._trials.values(), self._plan.metric)),
            winner=self._resolved(best),
            recommender=self._recommender,
            model_path=self._store.model_path(best.number),
            directory=self._store.folder,
            constant_score=constant_score,
            seconds=seconds,
        )
        if result.warning:
            _log.warning(result.warning)
        return result


def _without_retries(records: dict[int, TrialRecord]) -> dict[int, TrialRecord]:
    """Records as if trials were still running that had failed for want of memory, say, at the end.

    Those that other trials were proposed after stay failed: the other trials depend on it.
    """
    built_upon = max((record.known for record in records.values()), default=0)
    return {
        number: replace(record, status="running")
        if record.passing and number >= built_upon
        else record
        for number, record in records.items()
    }


def _modules() -> tuple[str, ...]:
    """The modules beyond this package that define blocks."""
    modules = {block.__module__ for block in Block.registry.values()}
    return tuple(sorted(m for m in modules if m.partition(".")[0] != "autorec_core"))
