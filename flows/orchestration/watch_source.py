"""The data-change check: looks at a data set's source, and has it trained when that has moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.deployments import run_deployment
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError
from flows.config import Params
from flows.orchestration.hooks import tell
from flows.orchestration.source_changes import source_moved
from flows.workspace import Places


@flow(
    name="data-check",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[tell],
    on_crashed=[tell],
)
def data_check(dataset: str, root: str = ".") -> State[Any]:
    """Starts the training deployment of a data set if its raw data's hash has moved.

    Args:
        dataset: A data set of `pipeline.datasets` in params.yaml.
        root: The workspace: the folder that holds dvc.yaml.
    """
    places, logger = Places(dataset, Path(root)), get_run_logger()
    try:
        entry = Params.load(places.root / "params.yaml").buildable(dataset)
        moved = source_moved(entry, places)
    except AutoRecError as error:
        return Failed(message=str(error))
    if moved is None:
        said = f"The raw data of {dataset} has not moved; nothing to do."
        logger.info(said)
        return Completed(name="Unmoved", message=said)
    # The same data is trained on once, however often the check meets it before training is done.
    training: Any = run_deployment(
        f"autorec/{dataset}",
        parameters={"dataset": dataset, "root": root, "refetch": True},
        idempotency_key=f"{dataset}-{moved}",
        timeout=0,
        as_subflow=False,
    )
    said = f"The raw data of {dataset} has moved: training started, run {training.id}."
    logger.info(said)
    return Completed(message=said)
