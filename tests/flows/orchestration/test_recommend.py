"""The flow of nightly lists on a Prefect server: whole files that say which version made them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pages import surroundings
from team import eventually

pytestmark = pytest.mark.slow

TEN = {"exclude": "none", "top": 10}
NIGHTS: dict[str, dict[str, Any]] = {
    "early": TEN,
    "first": {**TEN, "champion": 1},
    "wrong": {**TEN, "where": "colour = red"},
    "text": {**TEN, "target": "lists.csv"},
    "second": {**TEN, "champion": 2},
    "killed": {**TEN, "users": "many.csv"},
}
"""What the flow gets on each night, and which version has become the champion before it."""

PROGRAM = """
import hashlib, json, sys
from pathlib import Path
from flows.environment import prepare_environment
prepare_environment()
from flows.processes.temporary_server import start_temporary_server
start_temporary_server(Path.cwd())
from flows.orchestration.recommend import recommend
from flows.registry.versions import client
target = Path("lists.parquet")
for given in json.loads(sys.argv[1]).values():
    if champion := given.pop("champion", None):
        client(Path()).set_registered_model_alias("autorec-small", "champion", str(champion))
    given = {"dataset": "small", "target": str(target), **given}
    state = recommend(**given, return_state=True)
    digest = hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else None
    print(json.dumps([state.type.value, state.name, state.message, digest]), flush=True)
"""


class Night(NamedTuple):
    """How a night ended, and the file of lists after it."""

    kind: str
    name: str
    message: str
    digest: str | None


@pytest.fixture(scope="module")
def nights(registry) -> dict[str, Night]:
    """All nights. In the last one the program is killed while it writes."""
    root = registry.root
    assert [registry.register(one) for one in registry.models[:2]] == [1, 2]
    many = pd.DataFrame({"user_id": [f"new {user}" for user in range(400_000)]})
    many.to_csv(root / "many.csv", index=False)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(NIGHTS)],
        cwd=root,
        env=surroundings(root),
        stdout=subprocess.PIPE,
        text=True,
    )
    states = (json.loads(line) for line in program.stdout if line.startswith("["))
    ended = {name: Night(*next(states)) for name in list(NIGHTS)[:-1]}
    eventually(lambda: list(root.glob(".lists.parquet.*/lists.parquet")), "nothing is written")
    program.kill()
    assert program.communicate()[0] == ""
    return ended


def test_before_there_is_a_champion_there_is_nothing_to_do(nights):
    assert nights["early"][:2] == ("COMPLETED", "NothingToRecommend")
    assert nights["early"].digest is None


def test_the_file_is_the_champions_and_says_so(nights, registry):
    for version, name in enumerate(("first", "second"), 1):
        assert nights[name].kind == "COMPLETED"
        assert nights[name].message == f"lists.parquet: recommended by version {version}"
    table = pq.read_table(registry.root / "lists.parquet")
    assert table.schema.metadata[b"autorec.version"] == b"2"
    assert table.to_pandas().groupby("user_id").size().unique().tolist() == [10]


def test_a_failure_says_why_and_leaves_the_last_lists(nights):
    assert nights["wrong"].kind == nights["text"].kind == "FAILED"
    assert nights["wrong"].message.startswith("Items have no column colour.")
    assert nights["text"].message == "lists.csv: nightly lists are written as .parquet."
    assert nights["first"].digest == nights["wrong"].digest != nights["second"].digest


def test_a_run_that_is_killed_while_it_writes_leaves_the_last_lists(nights, registry):
    content = (registry.root / "lists.parquet").read_bytes()

    assert hashlib.sha256(content).hexdigest() == nights["second"].digest
