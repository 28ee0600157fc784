"""MLflow runs: what is known of each search. With the registry, the only importer of MLflow.

A store that does not answer never stops a search: it is said once and the files remain.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np

from autorec_core.files import write_text
from flows.paths import Places

logger = logging.getLogger(__name__)

STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"
RUN_FILE = "mlflow_run.txt"

Result = TypeVar("Result")
_own_stores: set[str] = set()


def connect(root: Path) -> None:
    """Points MLflow at its store: MLFLOW_TRACKING_URI, or SQLite and a folder in the workspace.

    Args:
        root: The workspace.
    """
    import mlflow

    for name in ("mlflow", "alembic", "git"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri or uri in _own_stores:
        database = (root / STORE).resolve()
        _create_once(database)
        uri = f"sqlite:///{database}"
        # MLflow puts what it is told into the environment; that is not the user's wish.
        _own_stores.add(uri)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)


def _create_once(database: Path) -> None:
    """Makes the store's tables under a lock: two processes that meet an empty one break it."""
    with database.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database.exists():
            with closing(sqlite3.connect(database)) as connection:
                query = "select count(*) from sqlite_master where name = 'alembic_version'"
                if connection.execute(query).fetchone()[0]:
                    return
        import sqlalchemy
        from mlflow.store.db.utils import _initialize_tables

        _initialize_tables(sqlalchemy.create_engine(f"sqlite:///{database}"))


@contextmanager
def tracked_run(
    root: Path, dataset: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[str | None]:
    """Opens an MLflow run that carries every parameter under its dotted path.

    Args:
        root: The workspace.
        dataset: The data set; its experiment is `autorec-<dataset>`.
        name: The run's name.
        params: Parameters by dotted path.
        tags: The run's tags.

    Yields:
        The run's id, or None where MLflow does not answer.
    """
    import mlflow

    run = attempt(lambda: _start(root, dataset, name, params, tags))
    try:
        yield run
    except BaseException:
        if run:
            attempt(lambda: mlflow.end_run("FAILED"))
        raise
    if run:
        attempt(mlflow.end_run)


def open_experiment(root: Path, dataset: str) -> None:
    """Connects, and makes a data set's experiment the current one."""
    import mlflow

    connect(root)
    experiment = f"autorec-{dataset}"
    if mlflow.get_experiment_by_name(experiment) is None:
        local = mlflow.get_tracking_uri() in _own_stores
        place = (root / ARTIFACTS / experiment).resolve().as_uri() if local else None
        mlflow.create_experiment(experiment, artifact_location=place)
    mlflow.set_experiment(experiment)


def _start(
    root: Path, dataset: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]
) -> str:
    import mlflow

    open_experiment(root, dataset)
    run = mlflow.start_run(run_name=name, tags=dict(tags))
    mlflow.log_params({key: str(value)[:6000] for key, value in params.items()})
    return run.info.run_id


def remember_run(places: Places, run: str | None) -> None:
    """Notes which run the search of this workspace is; not a result, so DVC does not keep it."""
    if run:
        write_text(places.search / RUN_FILE, run + "\n")


def search_run(places: Places) -> str | None:
    """The MLflow run of the last search here, if MLflow still knows it."""
    import mlflow

    try:
        run = (places.search / RUN_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None

    def known() -> str | None:
        connect(places.root)
        active = mlflow.MlflowClient().search_runs(
            [one.experiment_id for one in mlflow.search_experiments()],
            f"attributes.run_id = '{run}'",
        )
        return run if active else None

    return attempt(known)


def run_address(places: Places) -> str | None:
    """Where the run of the last search here is seen: its page, or how to open the own store."""
    import mlflow

    run = search_run(places)
    if run is None:
        return None
    address = urlsplit(mlflow.get_tracking_uri())
    if address.scheme not in ("http", "https"):
        return f"{run} (`mlflow ui --backend-store-uri sqlite:///{STORE} --host 127.0.0.1`)"
    experiment = mlflow.get_run(run).info.experiment_id
    server = address._replace(netloc=address.netloc.rpartition("@")[2])  # no password leaves here
    return f"{server.geturl().rstrip('/')}/#/experiments/{experiment}/runs/{run}"


def log_trial(
    parent: str,
    number: int,
    hyperparameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    curve: Sequence[Mapping[str, float]],
    error: str | None,
) -> None:
    """Records one trial as a run nested in its search's.

    Args:
        parent: The search's run.
        number: The trial's number, from 0.
        hyperparameters: By their paths.
        metrics: The trial's score and what goes with it.
        curve: For each epoch, metrics by name.
        error: Why the trial failed, if it did.
    """
    import mlflow
    from mlflow.entities import Metric

    client = mlflow.MlflowClient()
    experiment = client.get_run(parent).info.experiment_id
    tags = {"mlflow.parentRunId": parent, "mlflow.runName": f"trial-{number:03d}"}
    if error:
        tags["error"] = error[:5000]
    run = client.create_run(experiment, tags=tags).info.run_id
    points = [
        Metric(key, float(value), 0, step)
        for step, row in enumerate(curve)
        for key, value in row.items()
        if np.isfinite(value)
    ]
    points += [Metric(key, float(value), 0, 0) for key, value in metrics.items()]
    client.log_batch(
        run,
        metrics=points[:1000],
        params=[mlflow.entities.Param(k, str(v)) for k, v in hyperparameters.items()],
    )
    client.set_terminated(run, "FAILED" if error else "FINISHED")


def log_figures(root: Path, run: str, metrics: Mapping[str, float], artifacts: list[Path]) -> None:
    """Adds metrics and files to a run that may have ended already."""
    import mlflow

    connect(root)
    client = mlflow.MlflowClient()
    for key, value in metrics.items():
        client.log_metric(run, key, float(value))
    for path in artifacts:
        client.log_artifact(run, str(path))


def attempt(act: Callable[[], Result]) -> Result | None:
    """Does something with MLflow; where that fails, says so once and goes on with None."""
    from mlflow.exceptions import MlflowException

    try:
        return act()
    except (MlflowException, OSError) as error:
        _say_once(f"MLflow does not answer; the run goes on without it: {error}")
        return None


@contextmanager
def scratch_file(text: str) -> Iterator[Path]:
    """A file with this text, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "content"
        path.write_text(text, encoding="utf-8")
        yield path


@cache
def _say_once(message: str) -> None:
    logger.warning(message)
