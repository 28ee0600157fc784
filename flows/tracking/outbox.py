"""The outbox of a search: reports to MLflow are written to disk and sent in the background.

A server that is slow or does not answer does not delay the search. Reports that could not be sent
stay in the search's folder. The next search or evaluation of the data set sends them.
"""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from autorec_core.files import write_json
from flows.processes.model_process import fingerprint
from flows.tracking import mlflow_runs
from flows.workspace import Places

OUTBOX = "outbox"
RUN, END, ALIVE = "run.json", "end.json", "alive"
_LAST_SECONDS = 60.0  # maximum wait at the end of a search until all reports are sent
_AGAIN_SECONDS = 30.0  # wait before the next attempt if MLflow did not answer
_KEPT = 10  # maximum number of unsent runs

_log = logging.getLogger(__name__)


class Report:
    """The run of one search in the outbox.

    Args:
        folder: Its folder. The files in it have not been sent yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._news = threading.Event()
        self._over = threading.Event()

    def trial(
        self,
        number: int,
        hyperparameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        curve: Sequence[Mapping[str, float]],
        seconds: float,
        error: str | None,
    ) -> None:
        """Reports a finished trial; see `mlflow_runs.log_trial`."""
        content = {
            "number": number,
            "hyperparameters": dict(hyperparameters),
            "metrics": dict(metrics),
            "curve": list(curve),
            "began": time.time() - seconds,
            "seconds": seconds,
            "error": error,
        }
        write_json(self._folder / f"trial-{number:04d}.json", content)
        self._news.set()

    def end(
        self,
        status: str,
        metrics: Mapping[str, float],
        files: Sequence[Path] = (),
        winner: Path | None = None,
    ) -> None:
        """Reports the end of the search.

        Args:
            status: "FINISHED", "FAILED" or "KILLED".
            metrics: Metrics of the search.
            files: Files to add to its run.
            winner: Folder of the winner, or None.
        """
        for path in files:
            shutil.copy(path, self._folder / path.name)
        content = {
            "status": status,
            "metrics": dict(metrics),
            "files": [path.name for path in files],
            "winner": None if winner is None else fingerprint(winner),
            "at": time.time(),
        }
        write_json(self._folder / END, content)
        self._news.set()

    def deliver_while_open(self, places: Places) -> None:
        """Sends reports until `close` is called. Runs in its own thread."""
        while not self._over.is_set():
            self._news.clear()
            delivered = deliver(places)
            self._news.wait(None if delivered else _AGAIN_SECONDS)
        deliver(places)

    def close(self) -> None:
        """Makes the thread send the remaining reports and end."""
        self._over.set()
        self._news.set()


@contextmanager
def reported(
    places: Places, params: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[Report]:
    """Opens the run of a search, or continues the run of the same search if it was interrupted.

    Args:
        places: The paths of the data set.
        params: Parameters by dotted path.
        tags: The run's tags.

    Yields:
        The report, which takes trials and the end of the search.
    """
    folder = _folder(places, dict(params), dict(tags))
    report, alive = Report(folder), (folder / ALIVE).open("w")
    fcntl.flock(alive, fcntl.LOCK_EX)  # released when this process ends
    thread = threading.Thread(target=report.deliver_while_open, args=(places,), daemon=True)
    thread.start()
    try:
        yield report
    except BaseException:
        report.end("FAILED", {})
        raise
    finally:
        report.close()
        thread.join(_LAST_SECONDS)
        alive.close()
        if any(_waiting(places)):
            _log.warning(
                "Some reports were not sent to MLflow. They are in %s; the next run sends them.",
                places.search / OUTBOX,
            )


def deliver(places: Places) -> bool:
    """Sends all reports in the outbox of a data set to MLflow. Returns whether all were sent."""
    with _delivering:
        try:
            for folder in _waiting(places):
                if not mlflow_runs.attempt(partial(_deliver, places, folder)):
                    return False
            return True
        except (OSError, ValueError, KeyError) as error:
            _log.warning("The outbox %s cannot be read: %s.", places.search / OUTBOX, error)
            return False


def settle(places: Places) -> bool:
    """Ends the runs of killed searches, then sends all reports; see `deliver`.

    A killed search continues its run when it starts again. But it may never start again: DVC may
    find its result in the cache, or the parameters may have changed.
    """
    for folder in _waiting(places):
        if not (folder / END).exists() and not _alive(folder):
            Report(folder).end("KILLED", {})
    return deliver(places)


def _alive(folder: Path) -> bool:
    """Returns whether the process that writes to a folder is running."""
    try:
        with (folder / ALIVE).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


_delivering = threading.Lock()


def _folder(places: Places, params: dict[str, Any], tags: dict[str, str]) -> Path:
    """Returns the folder of this search's run. Ends the unfinished runs of other searches."""
    wanted = {"params": {key: str(value) for key, value in params.items()}, "tags": tags}
    found = None
    for folder in _waiting(places):
        if (folder / END).exists():
            continue
        if {key: _read(folder / RUN)[key] for key in wanted} == wanted:
            found = folder
        else:
            Report(folder).end("KILLED", {})
    for folder in list(_waiting(places))[:-_KEPT]:
        shutil.rmtree(folder)
    if found is None:
        found = places.search / OUTBOX / f"{time.time_ns()}-{uuid.uuid4().hex[:8]}"
        write_json(found / RUN, {**wanted, "began": time.time(), "run": None})
    return found


def _waiting(places: Places) -> Iterator[Path]:
    """Yields the folders of runs with unsent reports, oldest first."""
    for path in sorted((places.search / OUTBOX).glob(f"*/{RUN}")):
        yield path.parent


def _deliver(places: Places, folder: Path) -> bool:
    """Sends the reports of one run to MLflow."""
    about = _read(folder / RUN)
    if about["run"] is None:
        about["run"] = mlflow_runs.start_run(
            places.root,
            places.dataset,
            "search",
            about["params"],
            about["tags"],
            about["began"],
            folder.name,
        )
        write_json(folder / RUN, about)
    for path in sorted(folder.glob("trial-*.json")):
        trial = _read(path)
        if trial.get("run") is None:
            trial["run"] = mlflow_runs.start_trial(
                places.root, about["run"], trial["number"], trial["began"]
            )
            write_json(path, trial)
        mlflow_runs.log_trial(trial)
        path.unlink()
    if (folder / END).exists():
        end = _read(folder / END)
        files = [folder / name for name in end["files"]]
        mlflow_runs.log_figures(places.root, about["run"], end["metrics"], files)
        mlflow_runs.end_run(about["run"], end["status"], end["at"])
        if winner := end.get("winner"):
            mlflow_runs.remember_run(places, about["run"], winner)
        shutil.rmtree(folder)
    return True


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
