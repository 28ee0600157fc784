"""One cell in each form that files, frames and requests give it has one id, through every door."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from fastapi.testclient import TestClient
from serve_settings import serve_settings

from autorec_core.data import canonical
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.identity import row_hashes
from autorec_core.data.reading.raw import read_raw
from autorec_core.errors import DataError
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry.versions import Version
from flows.serving.api.app import make_app
from flows.serving.api.live_model import Champion
from flows.serving.api.prometheus import Measures
from flows.serving.api.recommend_requests import Recommendations
from flows.serving.files import score_files
from tests.project import ROOT

BERLIN = datetime.timezone(datetime.timedelta(hours=1))
NOON = datetime.datetime(2024, 3, 26, 12, 0)
WORDS = ["115", "7.5", "true", "false", "2024-03-26", "2024-03-26 12:00:00", "2024-03-26 12:00:00Z"]
WORDS += ["10000000000000000", "18446744073709551615", "0.00001", "0", "007", "1e3", "New York"]
VALUES = [
    ("115", 115),
    ("115", 115.0),
    ("115", np.float32(115)),
    ("115", np.int16(115)),
    ("115", np.uint64(115)),
    ("115", decimal.Decimal("115.00")),
    ("115", b"115"),
    ("7.5", 7.5),
    ("7.5", np.float32(7.5)),
    ("7.5", decimal.Decimal("7.50")),
    ("true", True),
    ("true", np.bool_(True)),
    ("false", False),
    ("2024-03-26", datetime.date(2024, 3, 26)),
    ("2024-03-26", datetime.datetime(2024, 3, 26)),
    ("2024-03-26 12:00:00", NOON),
    ("2024-03-26 12:00:00", pd.Timestamp(NOON)),
    ("2024-03-26 12:00:00", np.datetime64("2024-03-26T12:00:00")),
    ("2024-03-26 12:00:00Z", NOON.replace(hour=13, tzinfo=BERLIN)),
    ("2024-03-26 12:00:00Z", pd.Timestamp(NOON, tz="UTC").tz_convert("Europe/Berlin")),
    ("10000000000000000", 1e16),
    ("10000000000000000", 10**16),
    ("18446744073709551615", 2**64 - 1),
    ("0.00001", 1e-5),
    ("0", -0.0),
    ("New York", "New York"),
]
TEXTS = [
    ("115", "115"),
    ("115", "115.0"),
    ("115", "115.00"),
    ("115", " 115"),
    ("115", "115\t"),
    ("115", "115."),
    ("7.5", "7.50"),
    ("true", "True"),
    ("true", "TRUE"),
    ("false", "False"),
    ("2024-03-26", "2024-03-26 00:00:00"),
    ("2024-03-26", "2024-03-26T00:00"),
    ("2024-03-26 12:00:00", "2024-03-26T12:00:00"),
    ("2024-03-26 12:00:00", "2024-03-26 12:00"),
    ("2024-03-26 12:00:00", "2024-03-26 12:00:00.000000"),
    ("2024-03-26 12:00:00Z", "2024-03-26 12:00:00+00:00"),
    ("2024-03-26 12:00:00Z", "2024-03-26T12:00:00.000Z"),
    ("2024-03-26 12:00:00Z", "2024-03-26 12:00:00+0000"),
    ("0", "-0.0"),
    ("0", "0.0"),
    ("007", "007"),
    ("1e3", "1e3"),
    ("New York", " New York "),
]
COMPUTED = [
    ("10000000000000000", "1e+16"),
    ("10000000000000000", "1.0E16"),
    ("0.00001", "1e-05"),
    ("2024-03-26 12:00:00Z", "2024-03-26 13:00:00+01:00"),
    ("2024-03-26 12:00:00Z", "2024-03-26 04:00:00-08:00"),
]
"""Forms that the exported graph expects in their canonical form; it says so."""


def entry_with(**changes):
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    entry = content["datasets"]["criteo"] | {
        "label": "click",
        "categorical": ["cell"],
        "numeric": [],
        "ignored": [],
        "format": {"kind": "parquet"},
    }
    entry["facts"] |= {"ranges": {}, "warn_only": []}
    content["datasets"] = {"small": entry | changes}
    content["pipeline"]["datasets"] = ["small"]
    return content


@pytest.fixture(scope="module")
def scorer():
    """A scorer whose score is the id itself."""
    params = Params.model_validate(entry_with())
    rows = pd.DataFrame({"cell": WORDS, "click": 1.0})
    preprocessor = Preprocessor.fit(params.dataset("small"), params.preprocess, rows)
    ids = keras.Input((1,), dtype="int32", name="categorical")
    return Scorer(preprocessor, keras.Model({"categorical": ids}, keras.ops.cast(ids, "float32")))


@pytest.fixture(scope="module")
def id_of(scorer):
    values = scorer.preprocessor.vocabularies["cell"].values.to_pylist()
    return {value: place for place, value in enumerate(values, start=1)}


@pytest.fixture
def score_file(scorer, tmp_path, monkeypatch):
    """Scores a file with the scorer in place of a registered one."""
    version = Version("small", 1, ("champion",), {}, 0)
    monkeypatch.setattr(score_files, "aliased", lambda *_: version)
    monkeypatch.setattr(score_files, "load_scorer", lambda *_: scorer)

    def scored(source: Path, *, entry=None, **options):
        (tmp_path / "params.yaml").write_text(json.dumps(entry or entry_with()))
        target = tmp_path / "scores.parquet"
        score_files.score_file("small", source, target, root=tmp_path, **options)
        return pq.read_table(target)["score"].to_pylist()

    return scored


def test_the_table_is_about_known_cells(id_of):
    assert set(id_of) == set(WORDS)


@pytest.mark.parametrize("repeat", [1, 100], ids=["few rows", "many rows"])
def test_a_frame_of_any_type_has_the_ids(scorer, id_of, repeat):
    for word, value in [*VALUES, *TEXTS, *COMPUTED]:
        for column in (pd.Series([value] * repeat), pd.Series([value] * repeat, dtype=object)):
            found = scorer.score(pd.DataFrame({"cell": column}))
            assert found.tolist() == [id_of[word]] * repeat, (word, value, column.dtype)


def test_a_column_of_mixed_types_has_the_ids(scorer, id_of):
    cells = [*VALUES, *TEXTS, *COMPUTED] * 2
    frame = pd.DataFrame({"cell": pd.Series([value for _, value in cells], dtype=object)})

    assert scorer.score(frame).tolist() == [id_of[word] for word, _ in cells]


def test_training_learns_the_same_words_from_text(tmp_path):
    cells = [*TEXTS, *COMPUTED]
    form = {"kind": "delimited", "separator": ",", "header": True, "quoted": False, "columns": []}
    entry = Params.model_validate(entry_with(format=form)).dataset("small")
    lines = "".join(f"{text},1\n" for _, text in cells)
    (tmp_path / "rows.csv").write_text("cell,click\n" + lines)

    assert read_raw(entry, tmp_path / "rows.csv")["cell"].tolist() == [word for word, _ in cells]


def test_training_learns_the_same_words_from_parquet_and_keeps_a_record_of_them(tmp_path, scorer):
    entry = Params.model_validate(entry_with()).dataset("small")
    plain = row_hashes(pa.table({"cell": WORDS}), {"cell": "text"})
    for word, value in VALUES:
        table = pa.table({"cell": _array([value] * 2), "click": [1.0, 0.0]})
        for column in (table["cell"], *_dictionary(table["cell"])):
            pq.write_table(table.set_column(0, "cell", column), tmp_path / "rows.parquet")
            assert read_raw(entry, tmp_path / "rows.parquet")["cell"].tolist() == [word] * 2
        found, _ = row_hashes(table, {"cell": "text"})
        assert found == plain[WORDS.index(word)], (word, value)


def _array(values):
    is_large = type(values[0]) is int and values[0] >= 2**63
    return pa.array(values, pa.uint64() if is_large else None)


def _dictionary(column):
    """The column as Parquet's and pandas' categories, where there are any of its type."""
    try:
        return [column.dictionary_encode()]
    except pa.ArrowNotImplementedError:
        return []


def test_a_csv_file_and_a_parquet_file_of_each_type_have_the_ids(score_file, id_of, tmp_path):
    cells = [*TEXTS, *COMPUTED]
    lines = "".join(f'"{text}",x\n' for _, text in cells)
    (tmp_path / "rows.csv").write_text("cell,more\n" + lines)
    assert score_file(tmp_path / "rows.csv") == [id_of[word] for word, _ in cells]

    for word, value in VALUES:
        column = pa.chunked_array([_array([value, None])])
        for each in (column, *_dictionary(column)):
            pq.write_table(pa.table({"cell": each}), tmp_path / "rows.parquet")
            found = score_file(tmp_path / "rows.parquet")
            assert found == [id_of[word], 0], (word, value, each.type)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_times_of_each_unit_have_the_ids(scorer, id_of, unit):
    columns = {
        "2024-03-26 12:00:00": pa.array([NOON], pa.timestamp(unit)),
        "2024-03-26 12:00:00Z": pa.array([NOON], pa.timestamp(unit, "America/New_York")),
        "2024-03-26": pa.array([datetime.date(2024, 3, 26)], pa.date64()),
        "115": pa.array([115], pa.duration("s")).cast(pa.duration(unit)),
    }
    for word, column in columns.items():
        assert scorer.score_table(pa.table({"cell": column})).tolist() == [id_of[word]]


@pytest.fixture
def served(scorer):
    settings = serve_settings(max_rows=1000, max_body_bytes=100_000, refresh_seconds=60)
    version = Version("small", 1, ("champion",), {}, 0)
    champion = Champion(lambda: version, lambda _: scorer, 60)
    with TestClient(make_app(champion, settings, Measures(), Recommendations("small"))) as client:
        yield client


def test_json_has_the_ids(served, id_of):
    kinds = (bool, int, float, str)
    cells = [(word, one) for word, one in [*VALUES, *TEXTS, *COMPUTED] if type(one) in kinds]
    assert any(one is True for _, one in cells)

    answer = served.post("/score", json={"rows": [{"cell": one} for _, one in cells]})

    assert answer.json() == {"version": 1, "scores": [id_of[word] for word, _ in cells]}


def test_an_answer_reports_more_unknown_ids_than_usual(served):
    rows = [{"cell": "never seen"}, {"cell": 115}]

    assert served.post("/score", json={"rows": rows}).json()["unknown"] == {"cell": 0.5}


def test_the_exported_graph_has_the_ids(scorer, id_of):
    import tensorflow as tf

    from autorec_core.export import RawScorer

    raw = RawScorer(scorer)
    words, texts = zip(*TEXTS, strict=True)

    found = raw.score({"cell": tf.constant(texts)})["score"].numpy()

    assert found.tolist() == [id_of[word] for word in words]


def test_the_canonical_form_is_its_own():
    for word, value in [*VALUES, *TEXTS, *COMPUTED]:
        assert canonical.category(value) == word
        assert canonical.category(word) == word


def test_a_type_that_cannot_be_a_category_is_rejected_in_one_sentence(scorer):
    table = pa.table({"cell": pa.array([{"a": 1}])})

    with pytest.raises(DataError, match=r"cell: A column of type struct<.*> cannot hold"):
        scorer.score_table(table)


def test_many_unknown_ids_warn_and_a_wholly_unknown_column_is_rejected(
    score_file, tmp_path, scorer
):
    told = []
    (tmp_path / "some.csv").write_text("cell\n115\nnever\n")
    assert len(score_file(tmp_path / "some.csv", warn=told.append)) == 2
    assert "cell 50 % (in the test split 0 %)" in told[0]
    with pytest.warns(UserWarning, match="cell 50 %"):
        scorer.score(pd.DataFrame({"cell": ["115", "never"]}))

    (tmp_path / "none.csv").write_text("cell\nnever\nseen\n")
    with pytest.raises(DataError, match=r"knows no value of cell.* --allow-unknown"):
        score_file(tmp_path / "none.csv", warn=told.append)
    assert score_file(tmp_path / "none.csv", warn=told.append, allow_unknown=True) == [0, 0]


def test_a_doubled_column_is_refused_by_its_name(score_file, scorer, tmp_path):
    (tmp_path / "rows.csv").write_text("cell,cell\n115,115\n")
    pq.write_table(pa.table([["115"], ["115"]], names=["cell", "cell"]), tmp_path / "rows.parquet")

    for name in ("rows.csv", "rows.parquet"):
        with pytest.raises(DataError, match="has more than one column cell"):
            score_file(tmp_path / name)
    with pytest.raises(DataError, match="more than one column cell"):
        scorer.score(pd.DataFrame([["115", "115"]], columns=["cell", "cell"]))


HEADLESS = {
    "kind": "delimited",
    "separator": "\t",
    "header": False,
    "quoted": False,
    "columns": ["cell", "click"],
}


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        (HEADLESS, "u.data", "115.0\t1\n007\t0\n"),
        (HEADLESS, "rows.csv", "115.0\t1\n007\t0\n"),
        (HEADLESS, "rows.tsv", "115.0\t1\n007\t0\n"),
        (HEADLESS, "rows.csv", "more,cell\nx,115\nx,007\n"),
        (HEADLESS | {"header": True, "separator": "::"}, "rows", "cell::click\n115::1\n007::0\n"),
        (HEADLESS | {"header": True, "separator": ";"}, "r.csv", "cell;click\n115;1\n007;0\n"),
    ],
)
def test_a_file_in_the_format_of_the_entry_is_scored(
    score_file, id_of, tmp_path, form, name, content, capsys
):
    (tmp_path / name).write_text(content)

    found = score_file(tmp_path / name, entry=entry_with(format=form))

    assert found == [id_of["115"], id_of["007"]]
    by_entry = "read in the format of small" in " ".join(capsys.readouterr().out.split())
    assert by_entry == (not content.startswith("more"))


def test_the_line_that_does_not_fit_the_entry_is_named(score_file, tmp_path):
    (tmp_path / "u.data").write_text("115\t1\n007\n")

    with pytest.raises(DataError, match="line 2: 1 column; 2, separated by"):
        score_file(tmp_path / "u.data", entry=entry_with(format=HEADLESS))
