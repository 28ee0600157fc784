"""The HTTP API: what it answers, what it refuses, and that a moved alias drops no request."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from pydantic import TypeAdapter, ValidationError
from serve_settings import serve_settings

from autorec_core.scorer import Scorer
from flows.registry.versions import RegistryError, Version
from flows.serving.api.app import make_app
from flows.serving.api.live_model import Champion, request_model
from flows.serving.api.prometheus import Measures
from flows.serving.api.recommend_requests import Recommendations

pytestmark = pytest.mark.slow

SETTINGS = serve_settings(max_rows=50, max_body_bytes=20_000, refresh_seconds=0.05)


class Alias:
    """An alias that points where the test says; loads real scorers."""

    def __init__(self, scorers):
        self.scorers = scorers
        self.number = 1

    def find(self):
        if self.number not in self.scorers:
            raise RegistryError("The registry does not answer.")
        tags = {"metric.mse": "0.5", "git.commit": "abc", "decision": "It was better."}
        return Version("small", self.number, ("champion",), tags, 0)

    def load(self, version):
        return self.scorers[version.number]


@pytest.fixture(scope="module")
def scorers(models):
    return {1: Scorer.load(models.good), 2: Scorer.load(models.bad)}


@pytest.fixture
def alias(scorers):
    return Alias(scorers)


@pytest.fixture
def served(alias):
    measures = Measures()
    champion = Champion(alias.find, alias.load, SETTINGS.refresh_seconds, measures.looked)
    with TestClient(make_app(champion, SETTINGS, measures, Recommendations("small"))) as client:
        yield client


def test_rows_are_scored_as_the_scorer_does(served, scorers):
    rows = [
        {"user_id": "u1", "item_id": 3},
        {"user_id": "nobody", "item_id": "3", "more": 1},
        {"user_id": None, "item_id": 3.0},
    ]

    answer = served.post("/score", json={"rows": rows})

    assert answer.status_code == 200
    expected = scorers[1].score_lists({"user_id": ["u1", "nobody", None], "item_id": [3, "3", 3.0]})
    assert answer.json() == {
        "version": 1,
        "scores": pytest.approx(expected.tolist(), rel=1e-6),
        "unknown": {"user_id": pytest.approx(2 / 3)},
    }


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        ("{", ["body"], "Invalid JSON"),
        ('{"rows": []}', ["body", "rows"], "at least 1 item"),
        ("{}", ["body", "rows"], "Field required"),
        ('{"rows": [{"user_id": 1}]}', ["body", "rows", 0, "item_id"], "Field required"),
        ('{"rows": [{"user_id": [1], "item_id": 1}]}', ["body", "rows", 0, "user_id"], "Text, a"),
        ('{"rows": [{"user_id": NaN, "item_id": 1}]}', ["body", "rows", 0, "user_id"], "finite"),
        ('{"rows": [{"user_id": {}, "item_id": 1}]}', ["body", "rows", 0, "user_id"], "Text, a"),
    ],
)
def test_an_invalid_request_gets_a_clear_422(served, body, place, message):
    answer = served.post("/score", content=body)

    assert answer.status_code == 422
    [mistake] = answer.json()["detail"]
    assert mistake["loc"] == place
    assert message in mistake["msg"]


def test_a_body_beyond_the_limits_is_refused_even_without_a_length(served):
    row = {"user_id": 1, "item_id": 1}
    many = served.post("/score", json={"rows": [row] * 51})
    long = served.post("/score", content=b"x" * 20_001)
    pieces = served.post("/score", content=iter([b"x" * 15_000] * 2))

    assert [answer.status_code for answer in (many, long, pieces)] == [413, 413, 413]
    assert many.json()["detail"] == "51 rows; at most 50 (serve.max_rows)."


def test_model_describes_the_live_version(served):
    served.post("/score", json={"rows": [{"user_id": 1, "item_id": 1}] * 3})

    model, health = served.get("/model").json(), served.get("/health").json()
    assert (model["version"], model["metrics"], model["commit"]) == (1, {"mse": 0.5}, "abc")
    assert model["columns"] == ["user_id", "item_id"]
    assert (health["status"], health["version"]) == ("ok", 1)
    row = served.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {"user_id", "item_id"}
    assert served.get("/docs").status_code == 200
    measures = served.get("/metrics").text
    assert "autorec_rows_scored_total 3.0" in measures
    assert 'autorec_requests_total{path="/score",status="200"} 1.0' in measures


def test_cells_of_several_categories_are_text_and_numbers_are_numbers():
    asked = TypeAdapter(request_model(["genres", "age"], {"age"}))

    assert asked.validate_json('{"rows": [{"genres": "war|drama", "age": 7}]}')
    with pytest.raises(ValidationError, match="age"):
        asked.validate_json('{"rows": [{"genres": "war|drama", "age": "7"}]}')


def test_only_a_word_for_missing_may_replace_a_number():
    asked = TypeAdapter(request_model(["site", "age"], {"age"}, ["NA", "-"]))

    for age in ('"NA"', '"-"', "7", "null"):
        assert asked.validate_json(f'{{"rows": [{{"site": "NA", "age": {age}}}]}}')
    with pytest.raises(ValidationError, match="age"):
        asked.validate_json('{"rows": [{"site": "NA", "age": "7"}]}')


def waited_for(true):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_the_registry_the_old_version_goes_on(served, alias):
    alias.number = 99
    waited_for(lambda: served.get("/health").json()["status"] == "stale")

    assert (
        served.post("/score", json={"rows": [{"user_id": 1, "item_id": 1}]}).json()["version"] == 1
    )
    assert served.get("/health").json()["trouble"] == "The registry does not answer."

    alias.number = 2
    waited_for(lambda: served.get("/model").json()["version"] == 2)
    assert served.get("/health").json()["status"] == "ok"


def test_a_moved_alias_drops_no_request(alias):
    measures = Measures()
    champion = Champion(alias.find, alias.load, SETTINGS.refresh_seconds, measures.looked)
    config = uvicorn.Config(
        make_app(champion, SETTINGS, measures, Recommendations("small")),
        host="127.0.0.1",
        port=0,
        log_level="error",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    waited_for(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    seen, stop = [], threading.Event()

    def client():
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            while not stop.is_set():
                answer = http.post("/score", json={"rows": [{"user_id": "u1", "item_id": 3}]})
                seen.append((answer.status_code, answer.json().get("version")))

    clients = [threading.Thread(target=client) for _ in range(8)]
    for one in clients:
        one.start()
    try:
        waited_for(lambda: (200, 1) in seen)
        for number in (2, 1):
            alias.number = number
            before = len(seen)
            waited_for(lambda before=before, number=number: (200, number) in seen[before:])
    finally:
        stop.set()
        for one in clients:
            one.join()
        server.should_exit = True
        thread.join()

    assert {status for status, _ in seen} == {200}
