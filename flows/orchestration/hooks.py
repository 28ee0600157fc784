"""The hook that Prefect calls when a run failed, crashed or was cancelled."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.states import State
from prefect.utilities.urls import url_for

from autorec_core.errors import ConfigError
from flows.config import Params
from flows.orchestration.notify import Message, notify

logger = logging.getLogger(__name__)


def notify_about(flow: Any, flow_run: FlowRun, state: State[Any]) -> None:
    """Sends the notifications of the `notify` section in params.yaml about the end of a run."""
    root = Path(flow_run.parameters.get("root", "."))
    try:
        params = Params.load(root / "params.yaml").notify
    except ConfigError as error:
        logger.warning("No notification about run %s was sent: %s", flow_run.name, error)
        return
    notify(
        Message(
            flow=flow.name if flow is not None else "autorec",
            dataset=str(flow_run.parameters.get("dataset", "")),
            run=str(flow_run.id),
            name=flow_run.name,
            state=state.name or state.type.value.title(),
            reason=state.message or "",
            link=url_for(flow_run),
        ),
        params,
    )
