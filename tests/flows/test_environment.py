"""The environment that every program here sets: proxies, users, passwords."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import requests

from autorec_core.errors import ConfigError
from flows.environment import (
    bypass_proxies,
    check_proxies,
    is_loopback,
    prepare_environment,
    proxy_variables,
)
from flows.processes.health import fault_of_server

PROXY = "http://127.0.0.1:9"  # nobody listens on the discard port


class Well(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Well) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """No proxy but those of a test, and what a test changes is undone."""
    monkeypatch.setattr(os, "environ", {**os.environ})
    for name in [*proxy_variables(), "no_proxy", "NO_PROXY"]:
        os.environ.pop(name, None)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("address", [PROXY, "socks5://127.0.0.1:9"])
def test_servers_on_this_machine_are_reached_without_a_proxy(server, monkeypatch, name, address):
    os.environ[name] = address
    os.environ["no_proxy"] = "intranet"

    prepare_environment()

    assert httpx.get(f"{server}/health").status_code == 200
    assert requests.get(f"{server}/health", timeout=5).status_code == 200
    assert os.environ["NO_PROXY"].split(",")[0] == "intranet"


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("address", [PROXY, "socks4://nobody:1", "http://[bad"])
def test_health_on_this_machine_is_asked_without_any_proxy(server, name, address):
    os.environ[name] = address

    assert fault_of_server(f"{server}/health") is None
    assert fault_of_server(f"{server}/elsewhere") == "HTTP 404"


def test_other_machines_are_reached_through_the_proxy_all_the_same():
    os.environ["http_proxy"] = PROXY

    prepare_environment()

    with pytest.raises(httpx.ConnectError, match="refused"):
        httpx.get("http://203.0.113.1/")


def test_the_hosts_of_the_servers_that_the_environment_names_are_bypassed_if_they_are_here():
    os.environ |= {
        "https_proxy": PROXY,
        "PREFECT_API_URL": "http://127.0.0.2:4200/api",
        "MLFLOW_TRACKING_URI": "http://mlflow.example:5000",
    }

    prepare_environment()
    bypass_proxies("127.0.0.1", "10.0.0.7")

    expected = ["localhost", "127.0.0.1", "::1", "127.0.0.2", "10.0.0.7"]
    assert os.environ["no_proxy"].split(",") == expected


def test_without_a_proxy_nothing_is_set_and_a_star_stays_alone():
    prepare_environment()
    assert "no_proxy" not in os.environ

    os.environ |= {"http_proxy": PROXY, "no_proxy": "*"}
    prepare_environment()
    assert os.environ["no_proxy"] == "*"


def test_a_proxy_that_cannot_be_used_is_named_without_its_password():
    os.environ["ALL_PROXY"] = "socks4://me:secret@proxy:1080"

    with pytest.raises(ConfigError, match=r"\(ALL_PROXY\).*socks5://") as caught:
        check_proxies()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", [PROXY, "socks5h://proxy:1080", "proxy:3128"])
def test_a_proxy_that_can_be_used_is_no_error(address):
    os.environ["ALL_PROXY"] = address

    check_proxies()


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("", False)],
)
def test_this_machine_s_own_addresses_are_known(host, here):
    assert is_loopback(host) is here


def test_a_user_id_without_an_entry_gets_a_name_and_a_home(monkeypatch):
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        os.environ.pop(name, None)

    prepare_environment()

    assert os.environ["LOGNAME"] == os.environ["USER"] == f"uid{os.getuid()}"
    assert Path(os.environ["HOME"]).is_dir()
