"""A model is built again from its lineage: real git, real DVC, a pipeline of small commands."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from project import ROOT

from autorec_core.errors import DataError
from flows.orchestration.dvc_client import StageError
from flows.orchestration.reproduce import rebuild
from flows.registry.lineage import git_state, locked_stages, out_hashes
from flows.workspace import Places

pytestmark = pytest.mark.slow

DATASET = "x"
STAGES = """
stages:
  fetch:
    foreach: [x]
    do: {cmd: "python make.py fetch", outs: [data/raw/x]}
  prepare:
    foreach: [x]
    do: {cmd: "python make.py prepare", deps: [data/raw/x], outs: [data/prepared/x]}
  evaluate:
    foreach: [x]
    do:
      cmd: python make.py evaluate
      deps: [data/prepared/x]
      params: [seed]
      outs: [data/model/x]
      metrics: [{data/evaluation/x/metrics.json: {cache: false}}]
"""
MAKE = """
import json, pathlib, sys, yaml
stage = sys.argv[1]
with open("log.txt", "a") as log: log.write(stage + "\\n")
def write(path, text):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(text)
if stage == "fetch":
    write("data/raw/x/rows", pathlib.Path("elsewhere").read_text())
if stage == "prepare":
    write("data/prepared/x/rows", pathlib.Path("data/raw/x/rows").read_text() * 2)
if stage == "evaluate":
    seed = yaml.safe_load(open("params.yaml"))["seed"]
    loss = len(pathlib.Path("data/prepared/x/rows").read_text()) / 7 + seed
    write("data/model/x/model", str(loss))
    write("data/evaluation/x/metrics.json", json.dumps({"model": {"mse": loss}}))
"""


def run(root: Path, *command: str) -> None:
    subprocess.run(command, cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workspace that made a model, and the model's lineage; since then everything moved on."""
    root = tmp_path_factory.mktemp("workspace") / "größe #1%20?"  # as a user may call a folder
    root.mkdir()
    run(root, "git", "init", "-q")
    run(root, sys.executable, "-m", "dvc", "init", "-q")
    (root / "dvc.yaml").write_text(STAGES)
    (root / "make.py").write_text(MAKE)
    (root / "params.yaml").write_text("seed: 1\n")
    (root / "elsewhere").write_text("ten bytes!")
    (root / ".gitignore").write_text("elsewhere\nlog.txt\n")
    person = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    run(root, "git", "add", ".")
    run(root, "git", *person, "commit", "-qm", "Start")
    (root / "params.yaml").write_text("seed: 5\n")  # tried, not committed: the lineage has it
    run(root, sys.executable, "-m", "dvc", "repro", "-q")
    places = Places(DATASET, root)
    document = {
        "dataset": DATASET,
        "git": git_state(root),
        "dvc_lock": locked_stages(places),
        "params": {"seed": 5},
        "environment": {"python": "3.0", "platform": "none", "packages": {"gone": "1"}},
        "metrics": json.loads((places.evaluation / "metrics.json").read_text())["model"],
    }
    (root / "make.py").write_text(MAKE.replace("/ 7", "/ 8"))
    (root / "elsewhere").unlink()
    (root / "params.yaml").write_text("seed: 9\n")
    return root, document


def test_it_comes_out_equal_though_code_params_and_source_have_changed(workspace):
    root, document = workspace

    rebuilt = rebuild(document, root)

    assert document["metrics"] == {"mse": 20 / 7 + 5}
    assert rebuilt.equal
    assert not dataclasses.replace(rebuilt, recorded={"mse": 20 / 7 + 5.000001}).equal
    assert any(line.startswith("gone is not installed, was 1") for line in rebuilt.differences)
    # Here nothing has moved: neither the figures nor git's work trees.
    assert (root / "params.yaml").read_text() == "seed: 9\n"
    listed = subprocess.run(
        ["git", "worktree", "list"], cwd=root, capture_output=True, text=True, check=True
    )
    assert len(listed.stdout.splitlines()) == 1
    assert (root / "log.txt").read_text().split() == ["fetch", "prepare", "evaluate"]


def test_code_that_was_never_committed_cannot_be_rebuilt(workspace):
    root, document = workspace
    state = git_state(root)

    assert document["git"]["dirty"] is False
    assert state["dirty"] is True
    with pytest.raises(DataError, match="uncommitted changes"):
        rebuild({**document, "git": state}, root)
    with pytest.raises(DataError, match="does not have the commit"):
        rebuild({**document, "git": {"commit": "0" * 40, "dirty": False}}, root)


def test_raw_data_that_is_gone_is_named(workspace):
    root, document = workspace
    lock = yaml.safe_load(yaml.safe_dump(document["dvc_lock"]))
    lock["fetch@x"]["outs"][0]["md5"] = "0" * 32 + ".dir"

    with pytest.raises(StageError, match="The DVC cache lacks data/raw/x"):
        rebuild({**document, "dvc_lock": lock}, root)


def test_the_lock_gives_every_hash(workspace):
    _, document = workspace

    hashes = out_hashes(document["dvc_lock"])
    assert {"data/raw/x", "data/prepared/x", "data/model/x"} <= set(hashes)


REBUILDING = """
import sys
from pathlib import Path
from flows.orchestration.reproduce import _dvc
_dvc(Path(sys.argv[1]), "repro", failure="It failed.")
"""
LONG = """
import subprocess, sys, time
print(sys.argv, subprocess.Popen(["sleep", "300"]).pid, flush=True)
time.sleep(300)
"""


def test_a_killed_rebuild_leaves_no_stage_running(tmp_path):
    (tmp_path / "dvc.py").write_text(LONG, encoding="utf-8")  # found before DVC, as a tree's code
    with subprocess.Popen(
        [sys.executable, "-c", REBUILDING, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as rebuilding:
        try:
            assert rebuilding.stdout is not None
            assert "'repro'" in rebuilding.stdout.readline()
            family = psutil.Process(rebuilding.pid).children(recursive=True)
            assert len(family) == 2
        finally:
            rebuilding.kill()

        assert not psutil.wait_procs(family, timeout=5)[1]
