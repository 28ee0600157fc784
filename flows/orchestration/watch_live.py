"""The watch: compares what the live model scores, and later labels, with its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError, ConfigError
from flows.config import Params
from flows.orchestration.hooks import notify_about
from flows.orchestration.notify import Message, notify
from flows.report.watch_page import markdown, watch
from flows.workspace import Places

ALARM = "Alarm"
"""State of a run that has found a difference from training."""


@flow(
    name="autorec-watch",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[notify_about],
    on_crashed=[notify_about],
)
def watch_live(dataset: str, root: str = ".") -> State[Any]:
    """Examines what the champion has scored since the last time.

    It writes a page and an artifact. If there is a new alarm, it sends a notification. The next
    training on new data is then a search.

    Args:
        dataset: A data set of params.yaml.
        root: The workspace: the folder that contains params.yaml.
    """
    places = Places(dataset, Path(root))
    try:
        params = Params.load(places.root / "params.yaml")
        params.dataset(dataset)
        examined = watch(params, places)
    except ConfigError as none_yet:
        return Completed(name="NothingToWatch", message=str(none_yet))
    except AutoRecError as error:
        return Failed(message=str(error))
    create_markdown_artifact(
        key=f"{dataset.replace('_', '-')}-watch",
        markdown=markdown(dataset, examined),
        description=f"What version {examined.version} of {dataset} scores, against its training",
    )
    if examined.reason is None:
        message = f"Version {examined.version}: nothing differs from training."
        get_run_logger().info(message)
        return Completed(message=message)
    get_run_logger().warning("%s", examined.reason)
    if examined.news:
        notify(
            Message(
                flow="autorec-watch",
                dataset=dataset,
                run=str(flow_run.id),
                name=str(flow_run.name),
                state=ALARM,
                reason=examined.reason,
                link=places.watch_page.resolve().as_uri(),
            ),
            params.notify,
        )
    return Completed(name=ALARM, message=examined.reason)
