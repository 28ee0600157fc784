"""Every command that a page shows is typed by a test; those of a team's daily life here."""

from __future__ import annotations

import ast
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from pages import shown_commands, surroundings
from team import (
    MINE,
    Shell,
    answers,
    eventually,
    free_port,
    furnish,
    installed,
    make_small,
    write_ratings,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # a busy machine takes its time

RAW = f"data/raw/{MINE}"
ONCE = "--tuner random --seed 1 --epochs 1 --processes 1 --no-outside"
"""Behind a benchmark: one search of each model in each space."""


def test_every_shown_command_is_typed_by_a_test():
    texts = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}

    assert set(shown_commands()) - texts == set()
    assert "make test" in shown_commands()  # which is what runs this


@pytest.fixture(scope="module")
def team(make_workspace) -> Shell:
    """A workspace with its raw data."""
    workspace: Path = make_workspace(make_small)
    furnish(workspace)
    write_ratings(workspace / "data" / "incoming" / MINE / "rows.tsv")
    shell = Shell(workspace, surroundings(workspace))
    shell.runs(f"dvc repro -q fetch@{MINE}")
    shell.commit()
    return shell


@pytest.fixture(scope="module")
def two_versions(team) -> Shell:
    """The workspace with a champion and a version made by another model."""
    team.runs(f"autorec run {MINE}")
    team.types("dvc exp run -S search.tuner=bayesian")
    assert team.params()["search"]["tuner"] == "bayesian"
    team.commit()
    team.types("autorec run movielens-100k --model deepfm")
    return team


def test_the_champion_moves_by_hand_and_back(two_versions):
    ask = (
        "import mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db'); "
        f"print(mlflow.MlflowClient().get_registered_model('autorec-{MINE}').aliases['champion'])"
    )

    def champion() -> str:
        return two_versions.runs(f'python -c "{ask}"').strip()

    two_versions.types("autorec promote movielens-100k --version 2")
    assert champion() == "2"
    said = two_versions.types('autorec rollback movielens-100k --reason "too slow"')
    assert champion() == "1"
    assert "Version 1 is the champion again; version 2 was rolled back: too slow" in said
    assert "too slow" in two_versions.types("autorec models movielens-100k")


def test_a_version_is_built_again_to_the_last_digit(two_versions):
    said = two_versions.types("autorec reproduce movielens-100k --version 2")

    assert "Equal to the last digit" in said


def clone(of: Shell, to: Path) -> Shell:
    of.runs(f"git clone -q . {to}")
    return Shell(to, of.environment)


def fetch_again(shell: Shell) -> None:
    """Brings the raw data into a clone: fetching would give the same bytes."""
    write_ratings(shell.folder / "data" / "incoming" / MINE / "rows.tsv")
    shell.runs(f"dvc repro -q fetch@{MINE}")


def test_benchmarks_leave_their_tables(team):
    mine = f"{MINE}={RAW}/rows.tsv"
    team.types("autorec benchmark", also=f"--dataset {MINE} --trials 1 --model mf {ONCE}")
    team.types(
        "autorec benchmark --file netflix=combined_data_1.txt --rows 10000 --trials 3",
        instead={"netflix=combined_data_1.txt": mine},
        also=f"--model mf --space thesis {ONCE}",
    )
    team.types(
        "autorec benchmark --file NAME=FILE --model auto --space extended --tuner random",
        instead={"NAME=FILE": mine},
        also=f"--trials 1 {ONCE}",
    )

    table = (team.folder / "reports" / "benchmark" / "tables.md").read_text(encoding="utf-8")
    rows = {tuple(row.split(" | ")[:3]) for row in table.splitlines()}
    assert {("| MF", "thesis", "1"), ("| MF", "extended", "1"), ("| MF", "thesis", "3")} <= rows
    assert ("| AutoRec-RP", "extended", "1") in rows


def test_a_cluster_of_workers_comes_together(team):
    from distributed import Client

    port = str(free_port())
    scheduler = "dask scheduler --host 127.0.0.1 --port 8786"
    workers = "dask worker tcp://127.0.0.1:8786 --nworkers 2 --nthreads 1"
    with (
        team.starts(scheduler, instead={"8786": f"{port} --dashboard-address 127.0.0.1:0"}),
        team.starts(workers, instead={"8786": port}),
        Client(f"tcp://127.0.0.1:{port}", timeout=60) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        assert set(client.nthreads().values()) == {1}


def test_data_are_shared_in_a_folder(team, tmp_path):
    folder = str(tmp_path / "shared")
    here = clone(team, tmp_path / "here")
    fetch_again(here)
    here.types(
        "dvc remote add --default shared /mnt/team/recommender",
        instead={"/mnt/team/recommender": folder, "add": "add --force"},
    )
    here.types("dvc push", also=RAW)
    here.commit()
    there = clone(here, tmp_path / "there")

    there.runs(f"dvc pull -q {RAW}")

    pulled, mine = (shell.folder / RAW / "rows.tsv" for shell in (there, team))
    assert pulled.read_bytes() == mine.read_bytes()


@pytest.fixture
def plugged(team, tmp_path) -> Shell:
    """A clone whose environment is a new one on top of ours."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    (packages,) = environment.glob("lib/*/site-packages")
    (packages / "ours.pth").write_text(f"{Path(yaml.__file__).parents[1]}\n", encoding="utf-8")
    secrets = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    first = os.pathsep.join([str(environment / "bin"), team.environment["PATH"]])
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "AWS_DEFAULT_REGION": "us-east-1"}
    shell = clone(team, tmp_path / "clone")
    return Shell(shell.folder, {**shell.environment, "PATH": first, **secrets, **quiet})


@pytest.fixture
def store(plugged) -> Iterator[str]:
    """The address of a server that speaks S3's protocol, with one bucket."""
    plugged.types("pip install dvc-s3", also="-q 'moto[server]'")
    port = str(free_port())
    process = subprocess.Popen(
        ["python", "-m", "moto.server", "-p", port],
        env=dict(plugged.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(address), "moto does not answer", 120)
        httpx.put(f"{address}/ours").raise_for_status()
        yield address
    finally:
        process.kill()
        process.wait()


def test_data_are_shared_in_a_bucket(plugged, store):
    fetch_again(plugged)
    plugged.types(
        "dvc remote add --default shared s3://BUCKET/recommender", instead={"BUCKET": "ours"}
    )
    plugged.types(
        "dvc remote modify shared endpointurl https://store.example.com",
        instead={"https://store.example.com": store},
    )

    # Our `dvc` would start with our Python, which has no plug-in.
    plugged.types("dvc push", instead={"dvc": "python -m dvc"}, also=RAW)

    assert "recommender/files/md5" in httpx.get(f"{store}/ours?list-type=2").text


def test_an_upgrade_says_what_it_makes_stale(team, tmp_path):
    there = clone(team, tmp_path / "clone")
    text = (team.folder / "params.yaml").read_text(encoding="utf-8")
    changed = text.replace("data/incoming", "data/arrived")
    assert changed != text
    (team.folder / "params.yaml").write_text(changed, encoding="utf-8")
    team.commit()

    there.types("git pull")
    installed(there.folder)
    there.types("make install")
    said = there.types("dvc status")

    assert f"fetch@{MINE}" in said
    assert "params.yaml" in said
