"""A version made by an earlier AutoRec keeps scoring, on the code that it contains."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

import flows.serving.files.read_rows
import flows.serving.files.score_files
from autorec_core.errors import DataError
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.processes import model_process
from flows.registry import loading, run_gate
from flows.registry.loading import DistantScorer, export_version, load_scorer
from flows.registry.run_gate import Evidence, apply_gate
from flows.registry.smoke_test import Probed, smoke_test
from flows.registry.versions import RegistryError
from flows.serving.api.app import make_app
from flows.serving.api.live_model import Champion
from flows.serving.api.prometheus import Measures
from flows.serving.api.recommend_requests import Recommendations
from flows.serving.files.score_files import score_file

pytestmark = pytest.mark.slow
DATASET = "small"


@pytest.fixture(scope="module")
def number(registry, earlier):
    """The earlier version, and the champion."""
    number = registry.register_earlier(earlier)
    registry.point("champion", number)
    return number


@pytest.fixture(scope="module")
def distant(registry, number):
    return load_scorer(registry.version(number), registry.root)


@pytest.fixture(scope="module")
def rows(registry):
    return registry.models.test[["user_id", "item_id"]]


def process_of(distant):
    return psutil.Process(distant._process._process.pid)


def test_a_version_that_this_code_cannot_load_scores_on_its_own_code(
    registry, earlier, distant, rows
):
    with pytest.raises((TypeError, ValueError), match="EarlierProduct"):
        Scorer.load(earlier.scorer)

    found = distant.score_table(pa.Table.from_pandas(rows))

    assert isinstance(distant, DistantScorer)
    assert (distant.columns, distant.numeric) == (["user_id", "item_id"], frozenset())
    assert found == pytest.approx(registry.earlier_scores(rows), rel=1e-5)


def test_a_few_rows_of_any_types_are_scored_as_a_frame_of_them_is(registry, distant):
    columns = {"user_id": ["u1", None, 7], "item_id": [3, None, 2**70]}  # too large for Arrow

    found = distant.score_lists(columns)

    frame = pd.DataFrame(columns, dtype=object)
    assert found == pytest.approx(registry.earlier_scores(frame), rel=1e-5)
    empty = distant.score_lists({"user_id": [None], "item_id": [None]})
    assert empty == pytest.approx(registry.earlier_scores(frame.iloc[1:2]), rel=1e-5)


def test_a_version_of_this_code_is_loaded_in_this_process(registry):
    version = registry.version(registry.register(registry.models.bad))

    assert isinstance(load_scorer(version, registry.root), Scorer)


def test_a_file_is_scored_by_it_chunk_by_chunk(
    registry, number, distant, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        flows.serving.files.score_files, "load_scorer", lambda version, root: distant
    )
    many = pd.concat([rows] * 30, ignore_index=True)
    many.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setattr(flows.serving.files.read_rows, "BLOCK_BYTES", 20_000)

    version = score_file(
        DATASET, tmp_path / "rows.csv", tmp_path / "scores.parquet", root=registry.root
    )

    assert version.number == number
    found = pq.read_table(tmp_path / "scores.parquet")["score"].to_numpy()
    assert found == pytest.approx(registry.earlier_scores(many), rel=1e-5)


def test_a_server_follows_the_alias_to_it_and_back_and_lets_its_process_go(registry, number, rows):
    ours = registry.version(registry.register(registry.models.good))
    old, settings = registry.version(number), Params.load(registry.root / "params.yaml").serve
    pointed = [ours]
    measures = Measures()
    champion = Champion(
        lambda: pointed[-1],
        lambda version: load_scorer(version, registry.root),
        60,
        measures.looked,
    )
    asked = {"rows": rows.head(2).to_dict("records")}
    with TestClient(make_app(champion, settings, measures, Recommendations(DATASET))) as client:
        pointed.append(old)
        champion.look()
        process = process_of(champion.live.scorer)
        answer = client.post("/score", json=asked).json()
        process.kill()  # a process that dies costs time, but no request
        again = client.post("/score", json=asked).json()
        process = process_of(champion.live.scorer)
        pointed.append(ours)
        champion.look()
        assert client.post("/score", json=asked).json()["version"] == ours.number

    expected = pytest.approx(registry.earlier_scores(rows.head(2)).tolist(), rel=1e-5)
    assert answer == again == {"version": number, "scores": expected}
    assert not process.is_running()


def test_the_gate_compares_a_challenger_with_it(registry, number, rows, monkeypatch):
    challenger = registry.register(registry.models.good)
    schema = Scorer.load(registry.models.good).preprocessor.schema
    test = registry.models.test
    policy = Params.load(registry.root / "params.yaml").registry
    tolerances = policy.tolerances.model_copy(update={"latency": 1e6})  # one of them takes no time
    easy = policy.model_copy(update={"tolerances": tolerances})
    scores = Scorer.load(registry.models.good).score(rows).astype(float)

    def tested(version, *arguments):  # the challenger's own test is another file's
        there = version.number == challenger
        return Probed(scores, lambda calls: 1.0) if there else smoke_test(version, *arguments)

    monkeypatch.setattr(run_gate, "smoke_test", tested)
    evidence = Evidence(schema, test, {"all": np.ones(len(test), bool)}, (4, 4), "data-1", 3.0)

    decision = apply_gate(DATASET, challenger, evidence, easy, seed=0, root=registry.root)

    [loss] = [check for check in decision.checks if check.name == "loss"]
    errors = registry.earlier_scores(rows) - test["rating"]
    assert loss.champion == pytest.approx(float((errors**2).mean()), rel=1e-4)
    assert decision.promotes
    assert registry.champion("previous") == number


def test_it_exports_itself(registry, number, distant, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "clean_process", lambda *_: nullcontext(distant._process))

    export_version(registry.version(number), tmp_path / "export", registry.root)

    assert (tmp_path / "export" / "model.keras").exists()
    assert (tmp_path / "export" / "saved_model" / "1" / "saved_model.pb").exists()


def test_its_process_ends_with_the_caller_and_leaves_no_files(distant):
    asked = distant._process._process
    place = Path(asked.args[-1])
    assert list(place.iterdir())

    asked.stdin.close()  # as the system does when the asking process is killed

    assert asked.wait(timeout=60) == 0
    assert not place.exists()


def test_none_of_its_code_runs_if_a_file_was_changed(registry, earlier, tmp_path):
    number = registry.register_earlier(earlier)
    code = registry.files(number) / "code" / "autorec_core" / "__init__.py"
    ran = tmp_path / "ran"
    code.write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")

    with pytest.raises(RegistryError, match="the SHA-256 differs"):
        load_scorer(registry.version(number), registry.root)
    with pytest.raises(RegistryError, match="the SHA-256 differs"):
        DistantScorer(registry.version(number), registry.root)

    assert not ran.exists()


class Model:
    """A model that fails as it is told."""

    def __init__(self, error):
        self.error = error

    def unwrap_python_model(self):
        return self

    def predict(self, context, rows):
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            DataError("Row 3: age is 'x';\n a number is expected."),
            model_process.WRONG_ROWS,
            "Row 3: age",
        ),
        (MemoryError(), model_process.FAILED, "MemoryError"),
    ],
)
def test_wrong_rows_and_a_failing_model_are_different_errors(error, kind, said):
    rows = bytes(loading.rows_of({"a": [1]}).schema.serialize())

    answered, content = model_process._answer(Model(error), model_process.SCORE, rows)

    assert answered == kind
    assert content.decode().startswith(said)
