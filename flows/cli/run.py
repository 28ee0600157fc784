"""`autorec run`: the training flow here and now, told in its own words and no more."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from rich.console import Console

from autorec_core.errors import AutoRecError
from flows.processes.services import running_services
from flows.processes.temporary_server import start_temporary_server
from flows.report.terminal import show_result
from flows.stages.messages import ERROR_MARK
from flows.workspace import Places


def run_here(dataset: str) -> None:
    """Runs the flow in this process, on the servers of `make up` where they run.

    Args:
        dataset: A data set of `pipeline.datasets`.

    Raises:
        AutoRecError: A step failed; the message is its own.
    """
    for name, address in running_services(Path()).items():
        os.environ.setdefault(name, address)
    console = Console(highlight=False)
    if not os.environ.get("PREFECT_API_URL"):
        start_temporary_server(Path())
    from flows.orchestration.train import LEFT, autorec

    _plain_console()
    state = autorec(dataset, return_state=True)
    if state.name == LEFT:
        console.print(state.message, markup=False)
    elif not state.is_completed():
        raise AutoRecError(state.message or "The flow did not complete.")
    else:
        from flows.tracking.mlflow_runs import way_to_trials

        places = Places(dataset)
        show_result(places, decision=state.message or "", trials=way_to_trials(places))


def _plain_console() -> None:
    """Shows what this project logs, line by line; of Prefect's own words only warnings.

    The server keeps them all. What went wrong is left out too, a stage's error and the state of the
    step that it ended: the command says it itself.
    """
    import prefect
    from prefect.logging.handlers import PrefectConsoleHandler

    package = str(Path(prefect.__file__).parent)

    def is_shown(record: logging.LogRecord) -> bool:
        if record.getMessage().startswith((ERROR_MARK, "Finished in state")):
            return False
        return record.levelno >= logging.WARNING or not record.pathname.startswith(package)

    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(is_shown)
            handler.setFormatter(logging.Formatter("%(message)s"))
