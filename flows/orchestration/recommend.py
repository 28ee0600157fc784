"""The recommending flow: writes the best items of each user into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed, Failed, State

from autorec_core.errors import AutoRecError, ConfigError, DataError
from flows.orchestration.hooks import notify_about
from flows.serving.wanted import SEEN, TOP, Wanted


@flow(
    name="autorec-recommend",
    flow_run_name="{dataset}",
    persist_result=False,
    on_failure=[notify_about],
    on_crashed=[notify_about],
)
def recommend(
    dataset: str,
    target: str,
    users: str | None = None,
    top: int = TOP,
    candidates: str | None = None,
    exclude: str = SEEN,
    where: str | None = None,
    root: str = ".",
) -> State[Any]:
    """Writes the champion's best items of each user.

    Args:
        dataset: A data set of params.yaml.
        target: The Parquet file to write. Its metadata name model, version, commit and the hash
            of the training data.
        users: A file with the user column; None for all users of the model.
        top: The largest number of items for each user.
        candidates: A file with the item column; None for all items of the model.
        exclude: "seen", "none" or a file; see `Wanted`.
        where: A condition on the columns of items; None for all items.
        root: The workspace: the folder that holds params.yaml.
    """
    from flows.config import Params
    from flows.registry.versions import LIVE, aliased
    from flows.serving.files.recommend_files import recommend_file

    try:
        if Path(target).suffix != ".parquet":
            raise DataError(f"{target}: nightly lists are written as .parquet.")
        Params.load(Path(root) / "params.yaml").dataset(dataset)
        try:
            aliased(dataset, LIVE, Path(root))
        except ConfigError as none_yet:
            return Completed(name="NothingToRecommend", message=str(none_yet))
        wanted = Wanted(_path(users), top, _path(candidates), exclude, where)
        version = recommend_file(dataset, wanted, Path(target), root=Path(root))
    except AutoRecError as error:
        return Failed(message=str(error))
    said = f"{target}: recommended by version {version.number}"
    get_run_logger().info(said)
    return Completed(message=said)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
