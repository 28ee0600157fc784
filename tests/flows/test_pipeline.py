"""Stages run through DVC, and what goes wrong in one is what the caller hears."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autorec_core.errors import UnreachableError
from flows.pipeline import StageError, reproduce

pytestmark = pytest.mark.slow

STAGES = """
stages:
  good:
    foreach: [x]
    do: {cmd: "echo made && echo 1 > good.txt", outs: [good.txt]}
  bad:
    foreach: [x]
    do: {cmd: "echo 'Error: rows.csv, line 3: 2 columns.' >&2; exit 1", outs: [bad.txt]}
  far:
    foreach: [x]
    do: {cmd: "echo 'Error: the owner does not answer.' >&2; exit 75", outs: [far.txt]}
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=folder, check=True)
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    return folder


def test_a_stage_runs_once_and_its_lines_are_heard(repository):
    first: list[str] = []
    again: list[str] = []

    reproduce("good", "x", root=repository, log=first.append)
    reproduce("good", "x", root=repository, log=again.append)

    assert "made" in first
    assert "made" not in again
    assert (repository / "good.txt").read_text() == "1\n"


def test_a_failed_stage_speaks_for_itself(repository):
    with pytest.raises(StageError) as caught:
        reproduce("bad", "x", root=repository, log=lambda line: None)

    assert str(caught.value) == "rows.csv, line 3: 2 columns."


def test_what_does_not_answer_is_told_apart_since_a_retry_may_help(repository):
    with pytest.raises(UnreachableError, match=r"^the owner does not answer\.$"):
        reproduce("far", "x", root=repository, log=lambda line: None)


def test_without_a_log_errors_are_heard_all_the_same(repository):
    with pytest.raises(StageError, match=r"^rows\.csv, line 3: 2 columns\.$"):
        reproduce("bad", "x", root=repository)
