"""POST /recommend answers what scoring and sorting gives; GET /history; the page at /."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(seen):
    with TestClient(seen.app()) as client:
        yield client


@pytest.fixture(scope="module")
def with_table(stocked):
    with TestClient(stocked.app()) as client:
        yield client


def ask(served, **request):
    answer = served.post("/recommend", json=request)
    return answer.status_code, answer.json()


def items(content) -> list[str]:
    return [one["item"] for one in content["items"]]


def test_a_user_gets_the_best_of_what_they_have_not_met(served, seen):
    status, content = ask(served, user="u7", top=5)

    assert status == 200
    assert (content["version"], content["user"], content["reason"]) == (3, "u7", "model")
    assert items(content) == seen.best("u7", 5, seen.of("u7"))
    rows = [{"user_id": "u7", "item_id": one} for one in items(content)]
    scores = served.post("/score", json={"rows": rows}).json()["scores"]
    assert [one["score"] for one in content["items"]] == pytest.approx(scores, rel=1e-6)


def test_candidates_and_what_is_left_out_can_be_given(served, seen):
    _, everything = ask(served, user="u7", top=4, exclude="none")
    _, few = ask(served, user="u7", candidates=[4, "9", 12.0], exclude=["9", "of elsewhere"])

    assert items(everything) == seen.best("u7", 4)
    assert items(few) == seen.best("u7", 2, items=[4, 12])


def test_a_new_user_gets_popular_items_and_is_told_so(served, seen):
    _, content = ask(served, user=-1, top=3)

    assert (content["user"], content["reason"]) == ("-1", "popular")
    assert content["items"] == [{"item": one, "score": None} for one in seen.popular(3)]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "Field required"),
        ({"user": None}, "Text, a finite number"),
        ({"user": "u1", "tip": 3}, "Extra inputs are not permitted"),
        ({"user": "u1", "top": 0}, "Allowed are 1 to 25"),
        ({"user": "u1", "candidates": []}, "There are no candidates."),
        ({"user": "u1", "candidates": [1, 1]}, "more than once: '1'"),
        ({"user": "u1", "candidates": [1, "x"]}, "not trained on 1 of the 2 candidates"),
        ({"user": "u1", "candidates": [1], "exclude": [1]}, "Nothing is left to recommend"),
    ],
)
def test_what_cannot_be_answered_gets_a_clear_422(served, request_, message):
    status, content = ask(served, **request_)

    assert status == 422
    assert message in content["detail"][0]["msg"]


def test_only_items_that_fulfil_a_condition_are_recommended(with_table):
    fulfil = [item for item in range(2, 33, 5) if item % 6]  # others have no price
    _, given = ask(with_table, user=3, exclude="none", candidates=fulfil)
    _, found = ask(with_table, user=3, exclude="none", where="brand = 'brand 2' and price < 50")

    assert len(found["items"]) == len(fulfil)
    assert found == given
    _, new = ask(with_table, user="nobody", where="kinds = d", top=50)
    assert new["reason"] == "popular"
    assert {int(item) % 4 for item in items(new)} == {3}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("town = Ede", "Items have no column town. Their columns are: brand, kinds, name, price."),
        ("brand = 'brand 7'", "No item has the value 'brand 7' in the column brand. The values"),
        ("price > 1000", "no candidate fulfils the condition 'price > 1000'"),
        ("price >", "The condition 'price >' cannot be read at its end."),
    ],
)
def test_a_condition_that_cannot_be_fulfilled_gets_a_clear_422(with_table, where, message):
    status, content = ask(with_table, user=3, where=where)

    assert status == 422
    assert message in content["detail"][0]["msg"]


def test_a_users_history_is_shown_the_latest_first(served, seen):
    content = served.get("/history", params={"user": "u7"}).json()

    rows = seen.rows[seen.rows["user_id"] == "u7"].sort_values("timestamp", ascending=False)
    assert content["count"] == len(rows)
    assert [one["item"] for one in content["items"]] == rows["item_id"].tolist()
    assert [one["label"] for one in content["items"]] == rows["rating"].tolist()
    assert served.get("/history", params={"user": "nobody"}).json()["items"] == []


def test_items_of_a_table_with_titles_have_titles(with_table):
    _, found = ask(with_table, user=3, top=5)
    history = with_table.get("/history", params={"user": "3"}).json()

    for one in (*found["items"], *history["items"]):
        assert one["title"] == f"Thing {one['item']}"
    assert history["count"] == len(history["items"]) > 3


def test_the_page_loads_nothing_from_elsewhere(served):
    page = served.get("/")

    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/recommend" in served.get("/openapi.json").json()["paths"]
