"""Runs whose process is gone without a word: marked as crashed, so that none is Running for ever.

Under a worker Prefect does this itself. A run that was started by hand and killed has nobody left
to speak for it; the next run of its workspace does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, State

from flows.orchestration.hooks import tell
from flows.processes.locks import Presence, take_leave_of_the_dead


def mark_crashed(root: Path) -> list[Presence]:
    """Marks the runs of a workspace as crashed whose process is gone.

    Args:
        root: The workspace.

    Returns:
        Those that were marked.
    """
    marked: list[Presence] = []

    def mark(dead: Presence) -> bool:
        with get_client(sync_client=True) as client:
            try:
                run = client.read_flow_run(UUID(dead.run))
            except ObjectNotFound:
                return False  # another server knows it; a run there will find it
            if run.state is None or not run.state.is_final():
                state: State[Any] = Crashed(message=f"The process of {dead} is gone.")
                client.set_flow_run_state(run.id, state, force=True)
                for task in client.read_task_runs(
                    flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
                ):
                    if task.state is None or not task.state.is_final():
                        client.set_task_run_state(task.id, state, force=True)
                tell(None, run, state)
                marked.append(dead)
        return True

    take_leave_of_the_dead(root, mark)
    return marked
