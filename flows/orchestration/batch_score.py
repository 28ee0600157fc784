"""The batch-scoring flow: scores a file of raw rows with the champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError, DataError
from flows.orchestration.hooks import notify_about


@flow(
    name="autorec-batch-score",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[notify_about],
    on_crashed=[notify_about],
)
def batch_score(
    dataset: str, source: str, target: str, root: str = ".", allow_unknown: bool = False
) -> State[Any]:
    """Scores a file with the champion and writes the scores as Parquet.

    Args:
        dataset: A data set of params.yaml.
        source: File of raw rows: CSV, TSV, Parquet, or in the format of the data set's entry.
        target: The Parquet file to write. Its metadata contains model, version, commit and the hash
            of the training data.
        root: The workspace: the folder that contains params.yaml.
        allow_unknown: Whether to score even if the model knows no id of one of the columns.
    """
    from flows.serving.files.score_files import score_file

    if not Path(source).exists():
        return Completed(
            name="NothingToScore", message=f"{source} does not exist: nothing to score."
        )
    try:
        if Path(target).suffix != ".parquet":
            raise DataError(f"{target}: the name must end in .parquet.")
        version = score_file(
            dataset,
            Path(source),
            Path(target),
            root=Path(root),
            allow_unknown=allow_unknown,
            warn=get_run_logger().warning,
        )
    except AutoRecError as error:
        return Failed(message=str(error))
    message = f"{target}: scored by version {version.number}"
    get_run_logger().info(message)
    return Completed(message=message)
