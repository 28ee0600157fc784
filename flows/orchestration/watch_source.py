"""The data-change check: starts training when the source of a data set has new data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.deployments import run_deployment
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError
from flows.config import Params
from flows.orchestration.hooks import notify_about
from flows.orchestration.source_changes import source_changed
from flows.workspace import Places


@flow(
    name="data-check",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[notify_about],
    on_crashed=[notify_about],
)
def data_check(dataset: str, root: str = ".") -> State[Any]:
    """Starts the training deployment of a data set if the hash of its raw data has changed.

    Args:
        dataset: A data set of `pipeline.datasets` in params.yaml.
        root: The workspace: the folder that contains dvc.yaml.
    """
    places, logger = Places(dataset, Path(root)), get_run_logger()
    try:
        entry = Params.load(places.root / "params.yaml").buildable(dataset)
        new_hash = source_changed(entry, places)
    except AutoRecError as error:
        return Failed(message=str(error))
    if new_hash is None:
        message = f"The raw data of {dataset} has not changed; nothing to do."
        logger.info(message)
        return Completed(name="Unchanged", message=message)
    # The key starts one training per new data, even if this check runs again before it has ended.
    training: Any = run_deployment(
        f"autorec/{dataset}",
        parameters={"dataset": dataset, "root": root, "refetch": True},
        idempotency_key=f"{dataset}-{new_hash}",
        timeout=0,
        as_subflow=False,
    )
    message = f"The raw data of {dataset} has changed: training started, run {training.id}."
    logger.info(message)
    return Completed(message=message)
