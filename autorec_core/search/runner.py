"""Runs a search: runs the trials that the oracle proposes, and keeps records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from autorec_core.errors import SearchError
from autorec_core.metrics import objective_metric
from autorec_core.recommender import Recommender
from autorec_core.search.dialogue import Dialogue
from autorec_core.search.listener import Listener, SearchPlan
from autorec_core.search.oracles import make_oracle
from autorec_core.search.pruning import MedianRule
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.records.store import Store, code_hash, data_hash
from autorec_core.search.result import SearchResult
from autorec_core.search.running_trials import RunningTrials
from autorec_core.search.settings import SearchSettings
from autorec_core.search.space import decisive, identity, resolved, search_space
from autorec_core.search.trials import Trials
from autorec_core.training import Limits, Outcome, Rows
from autorec_core.training.judging import constant_score_of

_log = logging.getLogger(__name__)


def run_search(
    recommender: Recommender,
    train: Rows,
    valid: Rows,
    settings: SearchSettings | None = None,
    *,
    directory: Path,
    overwrite: bool = False,
    listener: Listener | None = None,
    executor: Executor | None = None,
    **changed: Any,
) -> SearchResult:
    """Searches for the recommender that is best on `valid`.

    Args:
        recommender: The search space.
        train: The rows to learn from.
        valid: The rows that score each candidate.
        settings: How to search; None for the defaults of `SearchSettings`.
        directory: The folder for all searches. This search makes its own folder in it, named by a
            hash of everything that decides the result. An interrupted search continues there.
        overwrite: Whether to delete an earlier run of exactly this search.
        listener: Gets the events of the search.
        executor: Runs the trials instead of local processes, `workers` at a time.
        **changed: Single fields of `SearchSettings` by name, such as `max_trials=20`.

    Raises:
        UnreachableError: No Dask cluster answers at `address`.
        SearchError: Too many trials in a row have failed, or none has completed.
        ConfigError: A setting has a value that is not allowed.
    """
    settings = (settings or SearchSettings()).changed(**changed)
    objective = settings.objective or recommender.optimizer.objective
    metric = objective_metric(objective, recommender.optimizer.task)
    recommender = decisive(recommender, rows=len(train), budget=settings.budget)
    evaluations = settings.budget.epochs * settings.budget.evaluations_an_epoch(len(train))
    oracle = make_oracle(
        settings.tuner,
        search_space(recommender),
        objective=objective,
        direction=metric.direction,
        seed=settings.seed,
        epochs=settings.budget.epochs,
        evaluations=evaluations,
        identity=lambda values: identity(recommender, values, len(train), settings.budget),
        first=settings.first,
    )
    decides = {
        "recommender": recommender.get_config(),
        "data": data_hash(train, valid),
        "tuner": settings.tuner,
        "first": [dict(values) for values in settings.first],
        "prune": settings.prunes,
        "objective": objective,
        "budget": asdict(settings.budget),
        "seed": settings.seed,
        "code": code_hash(),
        "versions": {m.__name__: m.__version__ for m in (keras, keras_tuner, np, tf)},
    }
    store = Store(directory, decides, metric)
    trials = Trials(store, store.open(overwrite=overwrite), metric, settings.max_trials)
    plan = SearchPlan(
        objective=objective,
        metric=metric,
        tuner=settings.tuner,
        max_trials=settings.max_trials,
        epochs=settings.budget.epochs,
        workers=1,  # the real number is set when the workers have started
        directory=store.folder,
        finished=trials.finished,
    )
    pruning = MedianRule(metric, evaluations) if settings.prunes else None
    dialogue = Dialogue(oracle, trials.asked_earlier, settings.max_trials, metric, pruning)
    search = _Search(recommender, settings, plan, dialogue, store, trials, listener or Listener())
    return search.run(train, valid, executor)


class _Search:
    """One run of a search, from its start or from where an earlier run stopped."""

    def __init__(
        self,
        recommender: Recommender,
        settings: SearchSettings,
        plan: SearchPlan,
        dialogue: Dialogue,
        store: Store,
        trials: Trials,
        listener: Listener,
    ) -> None:
        self._recommender = recommender
        self._settings = settings
        self._plan = plan
        self._store = store
        self._trials = trials
        self._listener = listener
        self._dialogue = dialogue
        self._failures = 0
        self._paused: set[int] = set()

    def run(self, train: Rows, valid: Rows, executor: Executor | None) -> SearchResult:
        self._began = time.monotonic()
        constant_score = constant_score_of(
            self._recommender.optimizer, train, valid, self._plan.metric, self._settings.seed
        )
        self._running = RunningTrials(
            self._recommender,
            self._settings,
            self._plan.objective,
            self._trials,
            self._listener,
            executor,
        )
        killed = True
        try:
            self._dialogue.workers = self._running.size
            self._plan = replace(self._plan, workers=self._running.size)
            self._listener.on_search_start(self._plan)
            self._running.share(train, valid, self._store.data)
            self._loop()
            self._train_lost_winner()
            self._end_paused()
            self._trials.finish()
            killed = False
        finally:
            self._running.close(kill=killed)
            self._store.drop_data()
        result = self._result(valid, constant_score, time.monotonic() - self._began)
        self._listener.on_search_end(result)
        return result

    def _loop(self) -> None:
        while True:
            self._tell_what_is_due()
            if self._dialogue.may_ask(len(self._running), late=self._late()):
                self._ask()
            elif self._running:
                self._wait(self._trials.end)
            elif self._dialogue.nothing_to_tell:
                return
            else:
                self._dialogue.go_on()  # nothing runs, so waiting for the order would never end

    def _end_paused(self) -> None:
        """Tells the listener about the paused trials that will not continue."""
        for number in sorted(self._paused):
            self._listener.on_trial_end(self._trials.here[number])

    def _train_lost_winner(self) -> None:
        """Runs the best trial again if its model was lost or removed by a search with more trials.

        A search has no result without a model, so one trial runs again even if the time is over. If
        it fails, the next best trial takes its place.

        Raises:
            SearchError: Too many of these trials failed, or one failed and the time is over.
        """
        failed: list[TrialRecord] = []
        while (best := self._trials.best) is not None and not self._store.has_model(best):
            if len(failed) == self._settings.max_failures or (failed and self._late()):
                raise SearchError(
                    f"The model of the best trial was lost, and training it again failed: "
                    f"{failed[-1].reason} (trial {failed[-1].number})."
                )
            part = best.stopped in ("paused", "pruned")
            self._running.submit(best, Limits(until=len(best.curve) if part else None))
            while self._running:
                self._wait(self._trials.end_again)
            ended = self._trials.here[best.number]
            failed += [ended] if ended.status == "failed" else []

    def _tell_what_is_due(self) -> None:
        for trial in self._dialogue.tell_what_is_due(self._trials.answers):
            self._failures = self._failures + 1 if trial.status == "failed" else 0
            if self._failures >= self._settings.max_failures:
                raise SearchError(
                    f"{self._failures} trials in a row have failed, so the search stops. The last "
                    f"one, trial {trial.number}: {trial.reason}. Settings and reasons of all "
                    f"trials are in {self._store.folder / 'trials'}."
                )

    @property
    def _seconds(self) -> float:
        """How many seconds the search has taken, including interrupted runs."""
        return self._trials.seconds + time.monotonic() - self._began

    def _late(self) -> bool:
        if not self._trials.here:
            return False
        seconds, epochs = self._settings.seconds, self._settings.max_epochs
        return (seconds is not None and self._seconds >= seconds) or (
            epochs is not None and self._dialogue.epochs >= epochs
        )

    def _ask(self) -> None:
        number = self._dialogue.number
        proposal = self._dialogue.ask()
        if proposal is None:
            self._trials.not_proposed(number)  # no other record must wait for it
            return
        if self._trials.earlier_result(proposal) is not None:
            return
        before = self._trials.here.get(proposal.number)
        trial = TrialRecord(
            number=proposal.number,
            hyperparameters=proposal.hyperparameters,
            known=proposal.known,
            epochs=proposal.epochs or self._settings.budget.epochs,
            question=proposal.question,
            until=proposal.until,
            before=0.0 if before is None else before.seconds,
            spent=0.0 if before is None else before.spent,
            began=round(self._seconds, 3),
        )
        best = self._trials.best
        # The best trial itself always needs its model: each part has its own file. The default
        # candidate is compared with the best one at the end.
        wanted_if = None if best is None or trial.number in (best.number, 0) else best.score
        checkpoint = self._trials.start(trial)
        self._paused.discard(trial.number)
        self._running.submit(
            trial,
            proposal.limits,
            reported=0 if before is None else len(before.curve),
            checkpoint=checkpoint,
            wanted_if=wanted_if,
        )

    def _wait(self, end: Callable[[int, Outcome], TrialRecord]) -> None:
        """Waits briefly for trials to end, and notes their outcomes with `end`."""
        for number, outcome in self._running.ended():
            trial = end(number, outcome)
            if trial.stopped == "paused":
                self._paused.add(trial.number)
                self._listener.on_trial_pause(trial)
            else:
                self._listener.on_trial_end(trial)

    def _result(self, valid: Rows, constant_score: float, seconds: float) -> SearchResult:
        given = self._settings.tuner == "given"  # then the first trial is not the default candidate
        best = self._trials.best if given else self._trials.winner(valid.labels)
        if best is None:
            reasons = "; ".join(dict.fromkeys(str(t.reason) for t in self._trials.leaderboard))
            raise SearchError(f"No trial has completed: {reasons}.")
        result = SearchResult(
            objective=self._plan.objective,
            metric=self._plan.metric,
            best=best,
            leaderboard=(best, *(one for one in self._trials.leaderboard if one is not best)),
            winner=resolved(self._recommender, best.hyperparameters),
            recommender=self._recommender,
            model_path=self._store.model_path(best),
            directory=self._store.folder,
            constant_score=constant_score,
            seconds=seconds,
        )
        if result.warning:
            _log.warning(result.warning)
        return result
