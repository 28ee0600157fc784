"""Marks killed runs as crashed, so that Prefect does not show them as running for ever.

Prefect does this itself for runs of a worker. If a run that was started by hand is killed, the next
run of the workspace marks it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, State

from flows.orchestration.hooks import notify_about
from flows.processes.locks import RunProcess, find_dead_runs


def mark_crashed(root: Path) -> list[RunProcess]:
    """Marks the runs of a workspace whose process was killed as crashed.

    Args:
        root: The workspace.

    Returns:
        The runs that were marked.
    """
    marked: list[RunProcess] = []

    def mark(dead: RunProcess) -> bool:
        with get_client(sync_client=True) as client:
            try:
                run = client.read_flow_run(UUID(dead.run))
            except ObjectNotFound:
                return False  # the run belongs to another server; a run on that server marks it
            if run.state is None or not run.state.is_final():
                state: State[Any] = Crashed(message=f"The process of {dead} was killed.")
                client.set_flow_run_state(run.id, state, force=True)
                for task in client.read_task_runs(
                    flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
                ):
                    if task.state is None or not task.state.is_final():
                        client.set_task_run_state(task.id, state, force=True)
                notify_about(None, run, state)
                marked.append(dead)
        return True

    find_dead_runs(root, mark)
    return marked
