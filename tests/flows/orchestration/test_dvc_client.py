"""Stages run through DVC, and the caller gets the error message of a failed stage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from project import ROOT

from autorec_core.errors import UnreachableError
from flows.orchestration.dvc_client import Builder, StageError

pytestmark = pytest.mark.slow

STAGES = """
stages:
  good:
    foreach: [x]
    do: {cmd: "echo made && echo 1 > good.txt", outs: [good.txt]}
  again:
    foreach: [x]
    do: {cmd: "echo again >> again.log && echo 1 > again.txt", outs: [again.txt]}
  bad:
    foreach: [x]
    do: {cmd: "echo 'Error: rows.csv, line 3: 2 columns.' >&2; exit 1", outs: [bad.txt]}
  far:
    foreach: [x]
    do: {cmd: "echo 'Error: the owner does not answer.' >&2; exit 75", outs: [far.txt]}
  long:
    foreach: [x]
    do: {cmd: "echo $$ > pid; exec sleep 300", outs: [long.txt]}
"""

FLOW = """
import signal
import sys
from pathlib import Path
from flows.orchestration.dvc_client import Builder
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell has it ignored
with Builder(Path(sys.argv[1])) as builder:
    builder.build("long", "x", log=print)
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=folder, check=True)
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def builder(repository: Path):
    with Builder(repository) as builder:
        yield builder


def ignore(line: str) -> None:
    """Hears a line, and forgets it."""


def test_a_stage_runs_once_and_its_lines_are_heard_without_dvcs_advice(builder, repository):
    first: list[str] = []
    again: list[str] = []

    builder.build("good", "x", log=first.append)
    builder.build("good", "x", log=again.append)

    assert first == ["Stage good@x", "made"]
    assert again == []
    assert (repository / "good.txt").read_text() == "1\n"


def test_force_runs_an_unchanged_stage_again(builder, repository):
    builder.build("again", "x", log=ignore)
    builder.build("again", "x", force=True, log=ignore)

    assert (repository / "again.log").read_text() == "again\nagain\n"


def test_the_error_is_the_message_of_the_failed_stage(builder):
    with pytest.raises(StageError) as caught:
        builder.build("bad", "x", log=ignore)

    assert str(caught.value) == "rows.csv, line 3: 2 columns."


def test_an_unreachable_server_is_a_separate_error(builder):
    with pytest.raises(UnreachableError, match=r"^the owner does not answer\.$"):
        builder.build("far", "x", log=ignore)


def test_a_stage_that_dvc_does_not_know_is_an_error_in_one_line(builder):
    with pytest.raises(StageError, match=r"^evaluate@y: .*evaluate@y"):
        builder.build("evaluate", "y", log=ignore)


def test_without_a_log_errors_are_heard_all_the_same(builder):
    with pytest.raises(StageError, match=r"^rows\.csv, line 3: 2 columns\.$"):
        builder.build("bad", "x")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_stage_does_not_outlive_the_run_that_asked_for_it(repository, how):
    noted = repository / "pid"
    noted.unlink(missing_ok=True)
    run = subprocess.Popen(
        [sys.executable, "-c", FLOW, str(repository)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: noted.exists() and noted.read_text().endswith("\n"))
    stage = int(noted.read_text())
    assert alive(stage)

    os.kill(run.pid, how)
    run.wait()

    eventually(lambda: not alive(stage))


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds; gives up after two minutes."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
