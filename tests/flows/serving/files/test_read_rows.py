"""Rows that cannot be scored are left out or refused, as the entry's `on_bad_rows` says."""

from __future__ import annotations

import json

import keras
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.errors import DataError
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry.versions import Version
from flows.serving.files import score_files
from tests.project import ROOT

HEADLESS = {
    "kind": "delimited",
    "separator": "\t",
    "header": False,
    "quoted": False,
    "columns": ["cell", "price", "click"],
}


def params(**changes):
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    entry = content["datasets"]["criteo"] | {
        "label": "click",
        "categorical": ["cell"],
        "numeric": ["price"],
        "ignored": [],
        "format": {"kind": "parquet"},
        "max_bad_rows": 2,
    }
    entry["facts"] |= {"ranges": {}, "warn_only": []}
    content["datasets"] = {"small": entry | changes}
    content["pipeline"]["datasets"] = ["small"]
    return content


@pytest.fixture(scope="module")
def scorer():
    """A scorer whose score is the id itself."""
    entry = Params.model_validate(params())
    rows = pd.DataFrame({"cell": ["a", "b", "c"], "price": [1.0, 2.0, 3.0], "click": 1.0})
    preprocessor = Preprocessor.fit(entry.dataset("small"), entry.preprocess, rows)
    ids = keras.Input((1,), dtype="int32", name="categorical")
    prices = keras.Input((1,), name="numeric")
    model = keras.Model(
        {"categorical": ids, "numeric": prices},
        keras.ops.cast(ids, "float32") + 0.0 * prices,
    )
    return Scorer(preprocessor, model)


@pytest.fixture
def score(scorer, tmp_path, monkeypatch):
    version = Version("small", 1, ("champion",), {}, 0)
    monkeypatch.setattr(score_files, "aliased", lambda *_: version)
    monkeypatch.setattr(score_files, "load_scorer", lambda *_: scorer)

    def scored(name, content, **changes):
        told = []
        (tmp_path / name).write_text(content)
        (tmp_path / "params.yaml").write_text(json.dumps(params(**changes)))
        target = tmp_path / "scores.parquet"
        score_files.score_file("small", tmp_path / name, target, root=tmp_path, warn=told.append)
        found = pq.read_table(target)
        return found["cell"].to_pylist(), found["score"].to_pylist(), told

    return scored


CASES = {
    "an empty line": (HEADLESS, "u.data", "a\t1\t1\n\nc\t3\t0\n", "line 2: an empty line"),
    "a short line": (HEADLESS, "u.data", "a\t1\t1\nb\t2\nc\t3\t0\n", "line 2: 2 columns"),
    "a bad number": (HEADLESS, "u.data", "a\t1\t1\nb\tx\t1\nc\t3\t0\n", "row 2: price is 'x'"),
    "a short line of CSV": (
        {"kind": "parquet"},
        "r.csv",
        "cell,price\na,1\nb\nc,3\n",
        "'b': 1 col",
    ),
    "a bad number of TSV": (
        {"kind": "parquet"},
        "r.tsv",
        "price\tcell\n1\ta\n1,5\tb\n3\tc\n",
        "row 2: price is '1,5'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_row_is_left_out_under_quarantine_and_refused_otherwise(score, case):
    form, name, content, place = CASES[case]

    cells, scores, told = score(name, content, format=form, on_bad_rows="quarantine")

    assert (cells, scores) == (["a", "c"], [1.0, 3.0])
    assert place in told[0]
    assert "1 row is left out, because `on_bad_rows` is quarantine" in told[0]
    with pytest.raises(DataError):
        score(name, content, format=form)


@pytest.mark.parametrize("case", CASES)
def test_more_bad_rows_than_the_limit_are_refused(score, case):
    form, name, content, _ = CASES[case]
    bad = content.splitlines(keepends=True)[-2]

    with pytest.raises(DataError):
        score(name, content + 2 * bad, format=form, on_bad_rows="quarantine")


def test_a_row_without_an_id_is_scored_even_next_to_a_bad_row(score):
    cells, scores, _ = score(
        "r.csv", "cell,price\n,1\nb,x\nc,3\n", on_bad_rows="quarantine", user="cell"
    )

    assert (cells, scores) == (["", "c"], [0.0, 3.0])
