"""The batch-scoring flow: a file of raw rows becomes a Parquet file of scores that says whose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError, DataError
from flows.orchestration.hooks import tell


@flow(
    name="autorec-batch-score",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[tell],
    on_crashed=[tell],
)
def batch_score(
    dataset: str, source: str, target: str, root: str = ".", allow_unknown: bool = False
) -> State[Any]:
    """Scores a file with the champion.

    Args:
        dataset: A data set of params.yaml.
        source: The file of raw rows: CSV, TSV, Parquet, or in the format of the data set's entry.
        target: The Parquet file to appear. Its metadata names model, version, commit and the hash
            of the data the model learned from.
        root: The workspace: the folder that holds params.yaml.
        allow_unknown: Whether rows are scored even where not one id of a column is known.
    """
    from flows.serving.score_files import score_file

    if not Path(source).exists():
        return Completed(name="NothingToScore", message=f"{source} is not there: nothing to score.")
    try:
        if Path(target).suffix != ".parquet":
            raise DataError(f"{target}: batch scores are written as .parquet.")
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
    said = f"{target}: scored by version {version.number}"
    get_run_logger().info(said)
    return Completed(message=said)
