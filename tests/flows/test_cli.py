"""The command line answers at once and says what is wrong in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"tensorflow", "keras", "mlflow", "prefect", "great_expectations", "dvc", "pandas"}


def autorec(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
        check=False,
    )


def test_help_names_every_command_and_imports_nothing_heavy(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows.cli", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()}

    assert not imported & HEAVY
    for command in ("run", "init-dataset", "generate", "datasets", "models", "score"):
        assert f" {command} " in answer.stdout


@pytest.fixture
def folder(tmp_path):
    text = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_an_unknown_data_set_is_named_with_the_known_ones(folder):
    answer = autorec("run", "movielens-100", cwd=folder)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: Unknown data set 'movielens-100'.")
    assert "movielens-100k" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]


def test_a_folder_without_params_says_what_is_missing(tmp_path):
    answer = autorec("run", "movielens-100k", cwd=tmp_path)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: params.yaml cannot be read")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("found", "written", "said"),
    [
        ("max_trials: 10", "max_trials: -1", "`search.max_trials` is -1"),
        ("tuner: random", "tunar: random", "unknown key `search.tunar`"),
        ("[0.8, 0.1, 0.1]", "[0.8, 0.1, 0.2]", "must sum to 1, these sum to 1.1"),
        ("seed: 13", "seed: x", "`seed` is 'x'"),
    ],
)
def test_a_wrong_param_stops_before_anything_starts(folder, found, written, said):
    params = folder / "params.yaml"
    text = params.read_text(encoding="utf-8")
    assert found in text
    params.write_text(text.replace(found, written, 1), encoding="utf-8")

    answer = autorec("run", "movielens-100k", cwd=folder)

    assert answer.returncode == 1
    assert said in answer.stderr
    assert all(line.startswith("Error: ") for line in answer.stderr.splitlines())
    assert "Prefect" not in answer.stdout + answer.stderr


def test_an_unknown_model_is_named_with_the_known_ones_and_not_written_down(folder):
    before = (folder / "params.yaml").read_bytes()

    answer = autorec("run", "movielens-100k", "--model", "deepmf", cwd=folder)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: Unknown model 'deepmf'")
    assert "neumf" in answer.stderr
    assert (folder / "params.yaml").read_bytes() == before
