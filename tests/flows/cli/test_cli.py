"""The command line starts quickly and reports each error in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from project import PARAMS_FILE

HEAVY = {"tensorflow", "keras", "mlflow", "prefect", "great_expectations", "dvc", "pandas"}


def autorec(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "GIT_CEILING_DIRECTORIES": str(cwd.parent)},
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
    names = (
        "run",
        "init-dataset",
        "generate",
        "datasets",
        "models",
        "report",
        "score",
        "doctor",
        "benchmark",
    )
    for command in (*names, "promote", "rollback", "reproduce", "export", "serve"):
        assert f" {command} " in answer.stdout


def test_the_version_is_that_of_the_installed_package(tmp_path):
    done = autorec("--version", cwd=tmp_path)

    assert (done.stdout, done.returncode) == (f"autorec {metadata.version('autorec')}\n", 0)


@pytest.fixture
def folder(tmp_path):
    text = PARAMS_FILE.read_text(encoding="utf-8")
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


def test_the_doctor_exit_code_says_that_something_needs_fixing(tmp_path):
    answer = autorec("doctor", cwd=tmp_path)

    assert answer.returncode == 1
    assert "no dvc.yaml and .dvc here" in answer.stdout
    assert "To fix: 3." in answer.stdout
    assert answer.stderr == ""


def test_a_report_without_a_run_says_how_to_get_one(folder):
    answer = autorec("report", "movielens-100k", "--no-open", cwd=folder)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
    assert "movielens-100k" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (folder / "reports").exists()


COMPLETE = """
source "$HOME/.bash_completions/autorec.sh"
COMP_WORDS=(autorec {words}); COMP_CWORD={count}
_autorec_completion autorec
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def test_the_shell_completes_commands_and_data_sets(folder):
    """As a user would: install the completion, open a shell, press Tab."""
    home = folder / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    install = ["autorec", "--install-completion", "bash"]
    subprocess.run(install, env=environment, cwd=folder, check=True, capture_output=True)

    def completed(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        script = COMPLETE.format(words=quoted, count=len(words))
        answer = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return answer.stdout.split()

    assert completed("doc") == ["doctor"]
    assert completed("run", "movielens-20") == ["movielens-20m"]
    assert completed("models", "cri") == ["criteo"]
    (folder / "params.yaml").write_text("seed: [", encoding="utf-8")
    assert completed("run", "movielens-1") == []


def test_a_benchmark_without_data_says_for_each_data_set_what_to_do(folder):
    answer = autorec("benchmark", "--dataset", "criteo", "--dataset", "netflix", cwd=folder)

    assert answer.returncode == 1
    assert [line.partition(" is not here")[0] for line in answer.stderr.splitlines()] == [
        "Error: criteo",
        "Error: netflix",
    ]
