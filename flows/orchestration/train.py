"""The training flow: preprocess, plan, search, evaluate, register.

Preprocess, search and evaluate build stages of dvc.yaml, so a scheduled run does the same as
`dvc repro`. Planning and registering depend on the champion, so they are steps of this flow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError, UnreachableError
from flows.config import Params
from flows.orchestration.crashed_runs import mark_crashed
from flows.orchestration.dvc_client import Builder
from flows.orchestration.hooks import notify_about
from flows.orchestration.logs import leave_out_empty_tracebacks
from flows.orchestration.run_artifacts import publish_checks, publish_result, publish_trials
from flows.orchestration.source_changes import own_file_changed
from flows.processes.locks import DataSetBusyError, RunProcess, exclusive, hold_run_lock
from flows.report.build import report_run
from flows.repository import check_git
from flows.workspace import Places, check_writable

leave_out_empty_tracebacks()

HOUR = 3600
OUT_OF_REACH = "OutOfReach"
LEFT = "Left"
"""State of a run that stopped because another run builds the data set."""


def out_of_reach(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Returns whether a retry can help: only if a server did not answer."""
    return state.name == OUT_OF_REACH


STEP: dict[str, Any] = {
    "retries": 1,
    "retry_delay_seconds": 5,
    "retry_condition_fn": out_of_reach,
    "cache_policy": NO_CACHE,  # DVC knows what is up to date
    "persist_result": False,
}


def to_state(act: Callable[[], str]) -> State[Any]:
    """Runs a step. An error becomes the message of a failed state, without a traceback."""
    try:
        return Completed(message=act())
    except UnreachableError as error:
        return Failed(name=OUT_OF_REACH, message=str(error))
    except AutoRecError as error:
        return Failed(message=str(error))


def bring_up_to_date(builder: Builder, stage: str, places: Places, *, force: bool = False) -> str:
    """Builds one stage. Its output goes to this terminal, or to the run's log if there is none."""
    log = None if sys.stdout.isatty() else get_run_logger().info
    builder.build(stage, places.dataset, force=force, log=log)
    return f"{stage}@{places.dataset} is up to date"


@task(name="preprocess", **STEP, timeout_seconds=6 * HOUR)
def preprocess(builder: Builder, params: Params, places: Places, refetch: bool) -> State[Any]:
    """Fetch, check, split and encode. A failed data check stops the run."""

    def act() -> str:
        if refetch or own_file_changed(params.dataset(places.dataset), places):
            bring_up_to_date(builder, "fetch", places, force=True)
        return bring_up_to_date(builder, "check_splits", places)

    state = to_state(act)
    publish_checks(places)
    return state


@task(name="plan", **STEP, timeout_seconds=HOUR)
def plan(builder: Builder, params: Params, places: Places) -> State[Any]:
    """Choose whether to search or to train the champion's settings again, and say why."""
    from flows.retraining.evidence import plan_training

    def act() -> str:
        same = builder.is_current("search", places.dataset, logged=not sys.stdout.isatty())
        made = plan_training(params, places, unchanged=same)
        return f"{made.mode}: {made.reason}"

    state = to_state(act)
    if state.is_completed():
        get_run_logger().info("Training by %s", state.message)
    return state


@task(name="search", **STEP, timeout_seconds=48 * HOUR)
def search(builder: Builder, places: Places) -> State[Any]:
    """Search for the best recommender. Finished trials survive a crash."""
    state = to_state(lambda: bring_up_to_date(builder, "search", places))
    if state.is_completed():
        publish_trials(places)
    return state


@task(name="evaluate", **STEP, timeout_seconds=6 * HOUR)
def evaluate(builder: Builder, places: Places) -> State[Any]:
    """Score the untouched test rows once, and compare with the baselines."""
    return to_state(lambda: bring_up_to_date(builder, "evaluate", places))


@task(name="register", **STEP, timeout_seconds=HOUR)
def register(params: Params, places: Places) -> State[Any]:
    """Register the winner and compare it with the champion. Move the alias if it is better."""
    from flows.orchestration.register_winner import register_winner

    def act() -> str:
        decision = register_winner(params, places)
        report_run(places)
        publish_result(places, decision)
        return str(decision)

    return to_state(act)


@flow(
    name="autorec",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[notify_about],
    on_crashed=[notify_about],
    on_cancellation=[notify_about],
)
def autorec(dataset: str, root: str = ".", refetch: bool = False) -> State[Any]:
    """Searches, evaluates and registers a model of one data set, and promotes it if it is better.

    Args:
        dataset: A data set of `pipeline.datasets` in params.yaml.
        root: The workspace: the folder that contains dvc.yaml.
        refetch: Fetch the raw data again even if no change of its source is visible.
    """
    places, logger = Places(dataset, Path(root)), get_run_logger()
    me = RunProcess.current(str(flow_run.id), str(flow_run.name))
    try:
        params = Params.load(places.root / "params.yaml")
        params.buildable(dataset)
        check_writable(places.root)
        if (fault := check_git(places.root)) is not None:
            logger.warning("%s", fault)
        with hold_run_lock(places.root, me):
            for dead in mark_crashed(places.root):
                logger.warning("Marked as crashed: %s was killed.", dead)
            on_busy = params.pipeline.on_busy
            with (
                exclusive(places.root, dataset, me, on_busy=on_busy, say=logger.info),
                Builder(places.root) as builder,
            ):
                builder.start(logged=not sys.stdout.isatty())
                return _steps(builder, params, places, refetch)
    except DataSetBusyError as busy:
        logger.info("%s", busy)
        return Completed(name=LEFT, message=str(busy))
    except AutoRecError as error:
        return Failed(message=str(error))


def _steps(builder: Builder, params: Params, places: Places, refetch: bool) -> State[Any]:
    """Runs the steps in order. The first step that does not complete ends the run."""
    for step, arguments in (
        (preprocess, (builder, params, places, refetch)),
        (plan, (builder, params, places)),
        (search, (builder, places)),
        (evaluate, (builder, places)),
        (register, (params, places)),
    ):
        state: State[Any] = step(*arguments, return_state=True)
        if not state.is_completed():
            return Failed(message=f"{step.name}: {state.message}")
    return Completed(message=state.message)
