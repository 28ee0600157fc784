"""Who may ask a server: keys, their limits, and logs without ids."""

from __future__ import annotations

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from serve_settings import serve_settings

from autorec_core.errors import ConfigError
from flows.config import TlsParams
from flows.serving.api.access import Guarded, Keys, describe_access, read_keys, tls_files
from flows.serving.api.unexpected_errors import WithoutIds

KEY, OTHER = "a-key-of-twenty-four-xyz", "b-key-of-twenty-four-xyz"


def client(keys: Keys) -> TestClient:
    app = FastAPI()

    @app.get("/score")
    def score() -> dict[str, int]:
        return {"score": 1}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/broken")
    def broken() -> None:
        raise KeyError("user-196")

    app.add_middleware(WithoutIds)
    app.add_middleware(Guarded, keys=keys)
    return TestClient(app)


def bearer(key: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {key}"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer(KEY), 200),
        (bearer(OTHER), 200),
        (bearer(KEY, "bearer"), 200),  # the scheme's case does not matter
        (bearer(KEY[:-1]), 401),
        (bearer(KEY + "x"), 401),
        (bearer(KEY, "Basic"), 401),
        (bearer(""), 401),
    ],
)
def test_only_a_request_with_a_key_is_answered(headers, status):
    answer = client(Keys([KEY, OTHER])).get("/score", headers=headers)

    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer KEY" in answer.json()["detail"]


def test_anyone_may_ask_whether_the_server_lives():
    assert client(Keys([KEY])).get("/health").json() == {"status": "ok"}


def test_each_key_has_a_limit_of_its_own_that_time_gives_back():
    seconds = [0.0]
    asked = client(Keys([KEY, OTHER], requests_per_minute=2, now=lambda: seconds[0]))

    first = [asked.get("/score", headers=bearer(KEY)).status_code for _ in range(3)]
    other = asked.get("/score", headers=bearer(OTHER)).status_code
    refused = asked.get("/score", headers=bearer(KEY))
    seconds[0] = 30.0  # half a minute gives one of two requests back
    later = [asked.get("/score", headers=bearer(KEY)).status_code for _ in range(2)]

    assert (first, other, later) == ([200, 200, 429], 200, [200, 429])
    assert 30 <= int(refused.headers["retry-after"]) <= 32


def test_an_unexpected_error_is_logged_without_its_ids(caplog):
    with caplog.at_level(logging.DEBUG):
        answer = client(Keys([KEY])).get("/broken", headers=bearer(KEY))

    assert answer.status_code == 500
    assert "/broken failed: KeyError in" in caplog.text
    assert "196" not in caplog.text + answer.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])
def test_a_server_for_other_machines_needs_keys(host):
    with pytest.raises(ConfigError, match=r"API keys: name .*serve\.keys_from.*127\.0\.0\.1"):
        read_keys(serve_settings(), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_server_for_this_machine_needs_none(host):
    assert read_keys(serve_settings(), host) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [("", "holds no API key"), (f"{KEY} short", "API key 2 of 2 in KEYS has 5 characters")],
)
def test_wrong_keys_are_named_but_not_shown(monkeypatch, value, message):
    monkeypatch.setenv("KEYS", value)

    with pytest.raises(ConfigError, match=message) as error:
        read_keys(serve_settings(keys_from="KEYS"), "0.0.0.0")
    assert "short" not in str(error.value)


def test_several_keys_come_from_one_variable(monkeypatch):
    monkeypatch.setenv("KEYS", f" {KEY}, {OTHER}\n")

    keys = read_keys(serve_settings(keys_from="KEYS"), "0.0.0.0")

    assert keys is not None
    assert [keys.find(f"Bearer {key}") for key in (KEY, OTHER, "none")] == [0, 1, None]


def test_missing_tls_files_are_named(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    settings = serve_settings(tls=TlsParams(certificate=str(certificate), key=str(key)))

    with pytest.raises(ConfigError, match=r"`serve\.tls\.key`: .*key\.pem cannot be read"):
        tls_files(settings)
    key.touch()
    assert tls_files(settings) == {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    assert tls_files(serve_settings()) == {}


def test_the_description_says_that_a_key_is_needed():
    document = client(Keys([KEY])).app.openapi()

    describe_access(document)

    assert document["components"]["securitySchemes"] == {
        "key": {"type": "http", "scheme": "bearer"}
    }
    asked = document["paths"]["/score"]["get"]
    assert asked["security"] == [{"key": []}]
    assert {"401", "429"} <= set(asked["responses"])
    assert "security" not in document["paths"]["/health"]["get"]
