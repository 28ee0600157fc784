"""`autorec run` is killed in its midst, and nothing that it has started is left.

AUTOREC_KILLS says how often: two by default, eight reach every step once. AUTOREC_KILLS_SEED
decides how long each step has worked by then.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from pages import surroundings
from team import eventually, make_small, write_ratings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DATASET = "tiny"
MARK = "AUTOREC_TEST_RUN"
"""A variable of the environment that everything which a run starts inherits from it."""
KILLS = int(os.environ.get("AUTOREC_KILLS", "2"))
SEED = int(os.environ.get("AUTOREC_KILLS_SEED", "1"))
STEPS = (
    "search",
    "start",
    "register",
    "prepare",
    "evaluate",
    "check_raw",
    "fetch",
    "check_splits",
)
LONGEST_SECONDS = 8.0
HOW = ("whole group", "process alone")


@pytest.fixture(scope="module")
def workspace(make_workspace) -> Path:
    def edit(params: dict[str, Any]) -> None:
        make_small(params, DATASET)
        params["search"] |= {"workers": 2}  # processes of the search's own
        params["pipeline"] |= {"retrain": "search"}  # also when there is a champion

    made: Path = make_workspace(edit)
    write_ratings(made / "data" / "incoming" / DATASET / "rows.tsv")
    return made


def afresh(workspace: Path) -> None:
    """Forgets what earlier runs have built, so that every stage has to run."""
    for name in ("raw", "checks", "prepared", "search", "model", "evaluation"):
        shutil.rmtree(workspace / "data" / name / DATASET, ignore_errors=True)
    shutil.rmtree(workspace / ".dvc" / "cache", ignore_errors=True)
    (workspace / "dvc.lock").unlink(missing_ok=True)


def marked(mark: str) -> list[psutil.Process]:
    """The living processes of a run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def has_begun(step: str, workspace: Path, log: Path) -> bool:
    """Whether a run has come to a step."""
    if step == "start":
        return True
    if step == "register":
        return (workspace / "data" / "evaluation" / DATASET / "metrics.json").exists()
    return f"Stage {step}@{DATASET}" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(KILLS))
def test_no_process_is_left_five_seconds_after_a_kill(workspace, tmp_path, number):
    step, how = STEPS[number % len(STEPS)], HOW[number % len(HOW)]
    delay = random.Random(f"{SEED} {number}").uniform(0, LONGEST_SECONDS)
    mark, log = uuid.uuid4().hex, tmp_path / "log"
    afresh(workspace)
    with log.open("w") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run", DATASET],
            cwd=workspace,
            env={**surroundings(workspace), MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        eventually(
            lambda: run.poll() is not None or has_begun(step, workspace, log), f"no {step} began"
        )
        time.sleep(delay)
        assert run.poll() in (None, 0), log.read_text(encoding="utf-8")

        with suppress(ProcessLookupError):  # it may just have ended
            (os.killpg if how == "whole group" else os.kill)(run.pid, signal.SIGKILL)
        killed = time.monotonic()
        run.wait()
        while marked(mark) and time.monotonic() < killed + 5:
            time.sleep(0.1)
        assert not marked(mark), f"{step} + {delay:.1f} s, {how}"
    finally:
        for process in marked(mark):
            process.kill()
