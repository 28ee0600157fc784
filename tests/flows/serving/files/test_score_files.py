"""Files of raw rows are scored chunk by chunk and come back as they were, with a score."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import flows.serving.files.read_rows
import flows.serving.files.score_files
from autorec_core.errors import ConfigError, DataError
from autorec_core.scorer import Scorer
from flows.serving.files.score_files import score_file

pytestmark = pytest.mark.slow
DATASET = "small"


@pytest.fixture(scope="module")
def live(registry):
    number = registry.register(registry.models.good)
    registry.point("champion", number)
    return registry


@pytest.fixture
def score(live, tmp_path):
    def run(source, kind=".csv"):
        target = tmp_path / f"scores{kind}"
        version = score_file(DATASET, source, target, root=live.root)
        assert version.number == live.champion()
        return target

    return run


def expected(live, users, items):
    scorer = Scorer.load(live.models.good)
    return scorer.score_lists({"user_id": users, "item_id": items}).tolist()


def test_text_comes_back_as_it_was_with_a_score_a_row(score, live, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text('note,user_id,item_id\n"a, ""b""\nc",u1,003\n,,3\nx,nobody,1e5\n')

    found = pyarrow.csv.read_csv(
        score(source),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={"item_id": pa.string(), "user_id": pa.string()}
        ),
    )

    assert found.column_names == ["note", "user_id", "item_id", "score"]
    assert found["note"].to_pylist() == ['a, "b"\nc', "", "x"]
    assert found["item_id"].to_pylist() == ["003", "3", "1e5"]
    assert found["score"].to_pylist() == pytest.approx(
        expected(live, ["u1", None, "nobody"], ["003", "3", "1e5"]), rel=1e-5
    )


def test_many_chunks_give_the_same_scores_and_name_their_model(score, live, tmp_path, monkeypatch):
    rows = pd.concat([live.models.test] * 40, ignore_index=True)[["user_id", "item_id"]]
    rows.to_csv(tmp_path / "rows.tsv", sep="\t", index=False)
    monkeypatch.setattr(flows.serving.files.read_rows, "BLOCK_BYTES", 20_000)

    target = score(tmp_path / "rows.tsv", ".parquet")

    table = pq.read_table(target)
    assert table.num_rows == len(rows)
    assert table["user_id"].to_pylist() == rows["user_id"].tolist()
    alone = Scorer.load(live.models.good).score(rows)
    assert table["score"].to_pylist() == pytest.approx(alone.tolist(), rel=1e-5)
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata["autorec.model"] == "autorec-small"
    assert metadata["autorec.version"] == "1"
    assert metadata["autorec.data"] == "d" * 32
    assert metadata["autorec.commit"] == "c" * 40


def test_parquet_keeps_its_types(score, live, tmp_path):
    table = pa.table({"item_id": pa.array([3, None], pa.int16()), "user_id": ["u1", "u2"]})
    pq.write_table(table, tmp_path / "rows.parquet")

    found = pq.read_table(score(tmp_path / "rows.parquet", ".parquet"))

    assert found.schema.field("item_id").type == pa.int16()
    assert found["score"].to_pylist() == pytest.approx(
        expected(live, ["u1", "u2"], ["3", None]), rel=1e-5
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.csv", "user_id,thing\n1,2\n", "lacks the columns item_id. It has: thing, user_id"),
        ("rows.csv", "user_id,item_id\n", "has no rows"),
        ("rows.csv", "user_id,item_id\n1,2\n1\n", "cannot be read"),
        ("rows.csv", "", "cannot be read"),
        ("rows.txt", "user_id,item_id\n1,2\n", "files of kind .txt are not supported"),
        ("rows.parquet", "no parquet", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_scored_leaves_nothing_behind(score, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)

    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        score(tmp_path / name)

    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_without_such_a_model_it_says_how_to_get_one(live, tmp_path):
    (tmp_path / "rows.csv").write_text("user_id,item_id\n1,2\n")

    with pytest.raises(ConfigError, match="`autorec run small` registers one"):
        score_file(DATASET, tmp_path / "rows.csv", tmp_path / "s.csv", alias="x", root=live.root)


def test_a_file_that_cannot_be_written_is_not_blamed_on_the_one_that_is_read(
    live, tmp_path, monkeypatch
):
    source = tmp_path / "rows.csv"
    source.write_text("user_id,item_id\nu1,3\n", encoding="utf-8")

    def locked(*_: object) -> None:
        raise DataError("mlflow.lock cannot be written: Permission denied.")

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "mlflow.lock")

    for fault, error in ((locked, DataError), (refused, PermissionError)):
        monkeypatch.setattr(flows.serving.files.score_files, "aliased", fault)
        with pytest.raises(error, match=r"mlflow\.lock") as caught:
            score_file(DATASET, source, tmp_path / "scores.csv", root=live.root)
        assert "rows.csv" not in str(caught.value)
