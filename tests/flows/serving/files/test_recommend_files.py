"""`autorec recommend`: the lists are what scoring each candidate row and sorting would give."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import autorec_core.recommending.ranker
from autorec_core.errors import DataError
from flows.serving.files.recommend_files import recommend_file
from flows.serving.load_ranker import history_of
from flows.serving.wanted import Wanted
from flows.workspace import Places

pytestmark = pytest.mark.slow
DATASET = "small"
TOP = 6


@pytest.fixture(scope="module")
def live(registry, seen):
    """A champion in a workspace with prepared data."""
    prepared = Places(DATASET, registry.root).prepared
    shutil.copytree(Places(DATASET, seen.root).prepared, prepared)
    registry.point("champion", registry.register(registry.models.good))
    return registry


@pytest.fixture
def recommend(live, tmp_path):
    def run(users=None, top=TOP, candidates=None, exclude="seen", alias="champion"):
        target = tmp_path / "lists.csv"
        wanted = Wanted(users, top, candidates, str(exclude))
        recommend_file(DATASET, wanted, target, alias=alias, root=live.root)
        return pd.read_csv(target, dtype={"user_id": str, "item_id": str})

    return run


def written(folder: Path, file: str, **columns) -> Path:
    pd.DataFrame(columns).to_csv(folder / file, index=False)
    return folder / file


def test_all_users_get_what_scoring_and_sorting_gives(recommend, seen, monkeypatch):
    monkeypatch.setattr(autorec_core.recommending.ranker, "PAIRS", 60)  # two users at a time

    lists = recommend()

    assert lists.columns.tolist() == ["user_id", "rank", "item_id", "score", "reason"]
    assert lists["user_id"].nunique() == 40
    assert set(lists["reason"]) == {"model"}
    for user, rows in lists.groupby("user_id"):
        assert rows["item_id"].tolist() == seen.best(user, TOP, seen.of(user))
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))


def test_a_new_user_gets_popular_items_without_a_score(recommend, seen, tmp_path):
    users = written(tmp_path, "users.csv", user_id=["nobody", "u3"])

    lists = recommend(users, exclude="none")

    new, known = (lists[lists["user_id"] == user] for user in ("nobody", "u3"))
    assert new["item_id"].tolist() == seen.popular(TOP)
    assert new["score"].isna().all()
    assert set(new["reason"]) == {"popular"}
    assert set(known["reason"]) == {"model"}
    assert lists["user_id"].tolist() == ["nobody"] * TOP + ["u3"] * TOP


def test_candidates_and_exclusions_come_from_files(recommend, seen, tmp_path):
    users = written(tmp_path, "users.csv", user_id=["u1", "u2"])
    candidates = written(tmp_path, "candidates.csv", item_id=[7, 12, 3, 9], note=list("abcd"))
    for_all = written(tmp_path, "for_all.csv", item_id=[3])
    pairs = written(tmp_path, "pairs.csv", user_id=["u1", "u1"], item_id=[7, 12])

    without_one = recommend(users, candidates=candidates, exclude=for_all)
    each = recommend(users, candidates=candidates, exclude=pairs)

    assert set(without_one["item_id"]) == {"7", "12", "9"}
    assert set(each.loc[each["user_id"] == "u1", "item_id"]) == {"3", "9"}
    second = each.loc[each["user_id"] == "u2", "item_id"].tolist()
    assert second == seen.best("u2", TOP, items=[7, 12, 3, 9])


def test_a_parquet_file_says_which_model_made_it(live, tmp_path):
    target = tmp_path / "lists.parquet"

    recommend_file(DATASET, Wanted(None, 2, None, "none"), target, root=live.root)

    table = pq.read_table(target)
    assert len(table) == 80
    assert table.schema.metadata[b"autorec.version"] == b"1"


def test_an_earlier_model_recommends_on_its_own_code(recommend, live, earlier):
    live.point("old", live.register_earlier(earlier))

    lists, ours = recommend(alias="old"), recommend()

    assert lists["item_id"].tolist() == ours["item_id"].tolist()
    assert (lists["score"] - ours["score"]).round(4).eq(0.25).all()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"users": {"name": ["u1"]}}, "users.csv: The column user_id with the users is missing"),
        ({"users": {"user_id": ["u1", "u2", "u1"]}}, "more than once: 'u1'"),
        ({"users": {"user_id": ["u1", None, "u2"]}}, "users.csv: Row 2 has no user_id"),
        ({"top": 0}, "Allowed are 1 to 25"),
        ({"top": 26}, "26 items for each user are not possible"),
        ({"candidates": {"item_id": ["1", "x"]}}, "not trained on 1 of the 2 candidates: 'x'"),
        ({"candidates": {"item_id": ["1"]}, "exclude": {"item_id": [1]}}, "Nothing is left"),
        (
            {
                "candidates": {"item_id": ["1"]},
                "users": {"user_id": ["u1"]},
                "exclude": {"user_id": ["u1"], "item_id": [1]},
            },
            "Nothing is left",
        ),
    ],
)
def test_what_is_not_allowed_gets_a_sentence(recommend, tmp_path, wanted, message):
    given = {
        name: written(tmp_path, f"{name}.csv", **value) if isinstance(value, dict) else value
        for name, value in wanted.items()
    }

    with pytest.raises(DataError, match=message):
        recommend(**given)


def test_without_prepared_data_what_was_seen_is_not_known(live, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    params = (live.root / "params.yaml").read_text(encoding="utf-8")
    (other / "params.yaml").write_text(params, encoding="utf-8")
    with pytest.raises(DataError, match="dvc pull prepare@small"):
        _ = history_of(DATASET, other).interactions
