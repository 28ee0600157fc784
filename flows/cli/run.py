"""Runs the training flow for `autorec run`, with short terminal output."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import httpx
from rich.console import Console

from autorec_core.errors import AutoRecError, UnreachableError
from flows.environment import bypass_proxies, check_proxies, host_of
from flows.processes.health import check_prefect
from flows.processes.services import running_services
from flows.processes.temporary_server import start_temporary_server
from flows.report.terminal import show_result
from flows.repository import check_git
from flows.stages.messages import ERROR_MARK
from flows.workspace import Places

STATE_MARKS = ("Finished in state", "Task run failed with state")
"""Start of the lines in which Prefect repeats the message of a failed step."""
CONNECTION_LOGS = ("prefect.events.clients", "prefect._internal.concurrency")
"""Where Prefect reports, once for each attempt, that its server does not answer."""


def run_here(dataset: str) -> None:
    """Runs the flow in this process, with the servers of `make up` if they run.

    Args:
        dataset: A data set of `pipeline.datasets`.

    Raises:
        AutoRecError: A step failed. The message is that of the step.
    """
    check_git(Path())
    check_proxies()
    for name, address in running_services(Path()).items():
        os.environ.setdefault(name, address)
        bypass_proxies(host_of(address))
    console = Console(highlight=False)
    api = os.environ.get("PREFECT_API_URL")
    if api:
        check_prefect(api)
    else:
        start_temporary_server(Path())
    from flows.orchestration.train import LEFT, autorec

    _plain_console()
    try:
        state = autorec(dataset, return_state=True)
    except httpx.HTTPError as error:  # only Prefect's client lets these through
        raise UnreachableError(
            f"The Prefect server does not answer any more: {str(error) or type(error).__name__}. "
            "Finished stages are kept. Run the same command again to continue."
        ) from error
    if state.name == LEFT:
        console.print(state.message, markup=False)
    elif not state.is_completed():
        raise AutoRecError(state.message or "The flow did not complete.")
    else:
        from flows.tracking.mlflow_runs import where_to_see_trials

        places = Places(dataset)
        show_result(places, decision=state.message or "", trials=where_to_see_trials(places))


def _plain_console() -> None:
    """Shows the log lines of this project, and only warnings and errors of Prefect.

    The server keeps all log lines. Errors of stages, states of failed steps and the traceback of a
    lost connection are not shown here, because the command prints the error itself.
    """
    logging.raiseExceptions = False  # else Prefect prints a line for each log that it cannot send
    import prefect
    from prefect.logging.handlers import PrefectConsoleHandler

    package = str(Path(prefect.__file__).parent)

    def is_shown(record: logging.LogRecord) -> bool:
        if record.getMessage().startswith((ERROR_MARK, *STATE_MARKS)):
            return False
        if record.name in CONNECTION_LOGS or _is_lost_connection(record):
            return False
        return record.levelno >= logging.WARNING or not record.pathname.startswith(package)

    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(is_shown)
            handler.setFormatter(logging.Formatter("%(message)s"))


def _is_lost_connection(record: logging.LogRecord) -> bool:
    return record.exc_info is not None and isinstance(record.exc_info[1], httpx.HTTPError)
