"""MLflow runs of searches. Only this room and the registry import MLflow.

A store that does not answer never stops a search: one warning is logged, and the files are kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import posixpath
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from autorec_core.errors import UnreachableError
from autorec_core.files import write_json
from flows.addresses import ARTIFACTS, STORE, sqlite_address, sqlite_file
from flows.environment import without_password
from flows.processes.mlflow_store import correct_places, prepare_store
from flows.processes.model_process import fingerprint
from flows.processes.services import running_services
from flows.workspace import Places

logger = logging.getLogger(__name__)

RUNS_FILE = "mlflow_runs.json"
_KEPT = 100  # maximum number of searches whose runs are remembered
_KEY = "autorec.key"
OPEN_STORE = f"mlflow ui --backend-store-uri sqlite:///{STORE} --host 127.0.0.1"
_AT = "_at_"
_PARAMS_A_CALL, _METRICS_A_CALL = 100, 1000  # MLflow's limits
_LONGEST_NAME = 250  # MLflow's limit for a parameter's name

Result = TypeVar("Result")
_unanswered = threading.Event()
_own_stores: set[str] = set()


def connect(root: Path) -> None:
    """Connects MLflow to its store.

    The store is MLFLOW_TRACKING_URI, else the server of `make up`, else a SQLite file and a folder
    in the workspace.

    Args:
        root: The workspace.
    """
    import mlflow

    for name in ("mlflow", "alembic", "git"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    uri = chosen or running_services(root).get("MLFLOW_TRACKING_URI")
    if not uri:
        uri = sqlite_address(prepare_store(root))
        _own_stores.add(uri)
    elif (file := sqlite_file(uri)) is not None and file.name == STORE:
        correct_places(file.parent)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if not chosen:  # MLflow has set these variables, and child processes would inherit them
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            os.environ.pop(name, None)


def open_experiment(root: Path, dataset: str) -> str:
    """Connects and makes the data set's experiment the current one. Returns its id."""
    import mlflow

    connect(root)
    experiment = f"autorec-{dataset}"
    if mlflow.get_experiment_by_name(experiment) is None:
        local = mlflow.get_tracking_uri() in _own_stores
        place = (root / ARTIFACTS / experiment).resolve().as_uri() if local else None
        mlflow.create_experiment(experiment, artifact_location=place)
    return mlflow.set_experiment(experiment).experiment_id


def start_run(
    root: Path,
    dataset: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    began: float,
    key: str,
) -> str:
    """Creates a run with all parameters, or finds it if it exists already.

    Args:
        root: The workspace.
        dataset: The data set; its experiment is `autorec-<dataset>`.
        name: The run's name.
        params: Parameters by dotted path.
        tags: The run's tags.
        began: Start time in seconds since 1970.
        key: Unique key of this run. With it, a process finds the run that an earlier process
            created before it was killed.

    Returns:
        The run's id.
    """
    import mlflow
    from mlflow.entities import Param

    experiment = open_experiment(root, dataset)
    client = mlflow.MlflowClient()
    run = _made(experiment, f"tags.`{_KEY}` = '{key}'")
    if run is None:
        marks = {**tags, _KEY: key}
        made = client.create_run(experiment, int(began * 1000), tags=marks, run_name=name)
        run = made.info.run_id
    entries = [Param(_param_name(key), str(value)[:6000]) for key, value in params.items()]
    for start in range(0, len(entries), _PARAMS_A_CALL):
        client.log_batch(run, params=entries[start : start + _PARAMS_A_CALL])
    return run


def _param_name(key: str) -> str:
    """Turns a dotted path into a name that MLflow allows. Column names may have any character."""
    allowed = re.fullmatch(r"[\w.\- :/]+", key) and len(key) <= _LONGEST_NAME
    if allowed and posixpath.normpath(key) == key and not key.startswith(("/", "..")):
        return key
    # The digest keeps names apart that differ only in replaced characters.
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    plain = re.sub(r"[^\w.-]|^\.", "_", key)
    return f"{plain[: _LONGEST_NAME - 9]}-{digest}"


def _made(experiment: str, which: str) -> str | None:
    """Returns the id of the run that a filter finds in an experiment, or None."""
    import mlflow

    found = mlflow.MlflowClient().search_runs([experiment], which, max_results=1)
    return found[0].info.run_id if found else None


def end_run(run: str, status: str, at: float) -> None:
    """Ends a run as "FINISHED", "FAILED" or "KILLED", at a time in seconds since 1970."""
    import mlflow

    mlflow.MlflowClient().set_terminated(run, status, end_time=int(at * 1000))


def remember_run(places: Places, run: str, winner: str) -> None:
    """Records which run found a winner.

    The file is not a stage output, so DVC does not cache it.

    Args:
        places: The paths of the data set.
        run: Id of the MLflow run.
        winner: Fingerprint of the winner.
    """
    known = [[key, known_run] for key, known_run in _runs(places).items() if key != winner]
    write_json(places.search / RUNS_FILE, [*known, [winner, run]][-_KEPT:])


def _runs(places: Places) -> dict[str, str]:
    try:
        return dict(json.loads((places.search / RUNS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def search_run(places: Places) -> str | None:
    """Returns the MLflow run that found the current winner, or None if MLflow does not know it."""
    import mlflow

    run = _runs(places).get(fingerprint(places.search / "winner"))
    if run is None:
        return None

    def known() -> str | None:
        connect(places.root)
        active = mlflow.MlflowClient().search_runs(
            [experiment.experiment_id for experiment in mlflow.search_experiments()],
            f"attributes.run_id = '{run}'",
        )
        return run if active else None

    return attempt(known)


def run_address(places: Places) -> str | None:
    """Returns the URL of the last search's run, or its id and the command that shows it."""
    import mlflow

    run = search_run(places)
    if run is None:
        return None
    if not mlflow.get_tracking_uri().startswith("http"):
        return f"{run} (`{OPEN_STORE}`)"
    experiment = mlflow.get_run(run).info.experiment_id
    server = without_password(mlflow.get_tracking_uri()).rstrip("/")
    return f"{server}/#/experiments/{experiment}/runs/{run}"


def where_to_see_trials(places: Places) -> str | None:
    """Returns the URL of the last search's page or the command that shows it; None without one."""
    address = attempt(lambda: run_address(places))
    if address is None or address.startswith("http"):
        return address
    return OPEN_STORE


def start_trial(root: Path, parent: str, number: int, began: float) -> str:
    """Creates the run of a trial, nested in the run of its search. Returns its id."""
    import mlflow

    connect(root)
    client = mlflow.MlflowClient()
    tags = {"mlflow.parentRunId": parent, "mlflow.runName": f"trial-{number:03d}"}
    experiment = client.get_run(parent).info.experiment_id
    which = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    made = _made(experiment, which)  # created by a process that was killed before it saved the id
    return made or client.create_run(experiment, int(began * 1000), tags=tags).info.run_id


def metric_key(name: str) -> str:
    """Returns a metric's name as MLflow allows it: without an @."""
    return name.replace("@", _AT)


def metric_name(key: str) -> str:
    """Returns the metric's name for a key that `metric_key` returned."""
    return key.replace(_AT, "@")


def log_trial(trial: Mapping[str, Any]) -> None:
    """Records one trial in its run and ends the run.

    Args:
        trial: `run`, the run's id; `hyperparameters` by path; `metrics` by name; `curve`, the
            metrics of each evaluation; `error`, why it failed, or None; `began`, in seconds since
            1970; `seconds`, the duration.
    """
    import mlflow
    from mlflow.entities import Metric, Param

    client, run = mlflow.MlflowClient(), trial["run"]
    began, ended = trial["began"], trial["began"] + trial["seconds"]
    points = [
        Metric(
            metric_key(key),
            float(value),
            int((began + row.get("seconds", 0)) * 1000),
            int(row["step"]),
        )
        for row in trial["curve"]
        for key, value in row.items()
        if key != "step" and np.isfinite(value)
    ]
    points += [
        Metric(metric_key(key), float(value), int(ended * 1000), 0)
        for key, value in trial["metrics"].items()
    ]
    for start in range(0, len(points), _METRICS_A_CALL):
        client.log_batch(run, metrics=points[start : start + _METRICS_A_CALL])
    client.log_batch(
        run, params=[Param(key, str(value)) for key, value in trial["hyperparameters"].items()]
    )
    if trial["error"]:
        client.set_tag(run, "error", trial["error"][:5000])
    end_run(run, "FAILED" if trial["error"] else "FINISHED", ended)


def log_figures(root: Path, run: str, metrics: Mapping[str, float], artifacts: list[Path]) -> None:
    """Adds metrics and files to a run, which may have ended."""
    import mlflow

    connect(root)
    client = mlflow.MlflowClient()
    for key, value in metrics.items():
        client.log_metric(run, metric_key(key), float(value))
    for path in artifacts:
        client.log_artifact(run, str(path))


def attempt(act: Callable[[], Result]) -> Result | None:
    """Calls a function that uses MLflow. If it fails, logs one warning and returns None."""
    from mlflow.exceptions import MlflowException

    try:
        done = act()
    except (MlflowException, OSError) as error:
        if not _unanswered.is_set():
            logger.warning("MLflow does not answer; the run continues without it: %s", _why(error))
        _unanswered.set()
        return None
    _unanswered.clear()
    return done


@contextmanager
def answered() -> Iterator[None]:
    """Turns errors of MLflow into one sentence, around code that cannot do without MLflow.

    Raises:
        UnreachableError: MLflow does not answer, or reports an error.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        place = without_password(mlflow.get_tracking_uri())
        raise UnreachableError(f"MLflow ({place}) failed: {_why(error)}.") from error


def _why(error: Exception) -> str:
    """Returns MLflow's message without the part of its HTTP library about pools and retries."""
    return str(error).partition(" with exception ")[0].rstrip(".")


@contextmanager
def scratch_file(text: str) -> Iterator[Path]:
    """Yields a temporary file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "content"
        path.write_text(text, encoding="utf-8")
        yield path
