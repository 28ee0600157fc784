"""The training flow: preprocess, search, evaluate, register.

The first three bring stages of dvc.yaml up to date, so a scheduled run did by construction what
`dvc repro` rebuilds. Registering is not a function of its inputs alone and happens here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.states import Completed, Failed, State

from autorec_core.config import Params
from autorec_core.errors import AutoRecError, UnreachableError
from flows.paths import Places
from flows.pipeline import reproduce
from flows.report.build import report_run
from flows.results import leaderboard_rows, result_markdown, show_result

HOUR = 3600
OUT_OF_REACH = "OutOfReach"


def out_of_reach(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a retry can help: something outside did not answer; all else would fail again."""
    return state.name == OUT_OF_REACH


RETRY: dict[str, Any] = {
    "retries": 1,
    "retry_delay_seconds": 5,
    "retry_condition_fn": out_of_reach,
}


def bring_up_to_date(stage: str, dataset: str, root: str) -> State[Any]:
    """Runs one stage; what went wrong becomes the state's message, not a traceback."""
    log = None if sys.stdout.isatty() else get_run_logger().info
    try:
        reproduce(stage, dataset, root=Path(root), log=log)
    except UnreachableError as error:
        return Failed(name=OUT_OF_REACH, message=str(error))
    except AutoRecError as error:
        return Failed(message=str(error))
    return Completed(message=f"{stage}@{dataset} is up to date")


@task(name="preprocess", **RETRY, timeout_seconds=6 * HOUR)
def preprocess(dataset: str, root: str) -> State[Any]:
    """Fetch, check, split and encode; the data checks stop what must not pass."""
    return bring_up_to_date("check_splits", dataset, root)


@task(name="search", **RETRY, timeout_seconds=48 * HOUR)
def search(dataset: str, root: str) -> State[Any]:
    """Search for the best recommender; finished trials survive a crash."""
    return bring_up_to_date("search", dataset, root)


@task(name="evaluate", **RETRY, timeout_seconds=6 * HOUR)
def evaluate(dataset: str, root: str) -> State[Any]:
    """Score the untouched test rows once, beside the baselines."""
    return bring_up_to_date("evaluate", dataset, root)


@task(name="register", **RETRY, timeout_seconds=HOUR)
def register(dataset: str, root: str) -> State[Any]:
    """Register the winner, compare it with the champion, move the alias if it has won."""
    from flows.registering import register_winner

    places = Places(dataset, Path(root))
    try:
        decision = register_winner(Params.load(places.root / "params.yaml"), places)
    except AutoRecError as error:
        return Failed(message=str(error))
    get_run_logger().info(decision)
    return Completed(message=decision)


@flow(name="autorec", flow_run_name="{dataset}")
def autorec(dataset: str, root: str = ".") -> State[Any]:
    """Searches, evaluates, registers and, if it has won, promotes a model of one data set.

    Args:
        dataset: A data set of `pipeline.datasets` in params.yaml.
        root: The workspace: the folder that holds dvc.yaml.
    """
    state: State[Any] = Completed()
    for step in (preprocess, search, evaluate, register):
        state = step(dataset, root, return_state=True)
        if not state.is_completed():
            return Failed(message=f"{step.name}: {state.message}")
    places = Places(dataset, Path(root))
    address = report_run(places)
    create_table_artifact(
        key=f"{dataset}-leaderboard",
        table=leaderboard_rows(places),
        description=f"Trials of {dataset}, best first",
    )
    create_markdown_artifact(
        key=f"{dataset}-result",
        markdown=result_markdown(places, decision=state.message or ""),
        description=f"Test figures of {dataset} and what became of the model",
    )
    if address:
        create_link_artifact(
            key=f"{dataset}-report", link=address, description=f"Report of the run of {dataset}"
        )
    return Completed(message=state.message)


def run_flow(dataset: str) -> None:
    """Runs the flow here and now.

    Raises:
        AutoRecError: A step failed; the message is its own.
    """
    state = autorec(dataset, return_state=True)
    if not state.is_completed():
        raise AutoRecError(state.message or "The flow did not complete.")
    show_result(Places(dataset), decision=state.message or "")
