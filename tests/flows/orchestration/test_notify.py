"""Messages reach real receivers on loopback; secrets stay in the environment."""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from project import PARAMS_FILE

from autorec_core.errors import ConfigError
from flows.config import NotifyParams, Params
from flows.orchestration.notify import Message, notify

MESSAGE = Message(
    flow="autorec",
    dataset="ratings",
    run="8e3f",
    name="nightly",
    state="Failed",
    reason="preprocess: ratings, raw rows: a rating of 9.",
    link="http://127.0.0.1:4200/runs/flow-run/8e3f",
)
NOBODY: dict[str, Any] = {"webhook": None, "email": None, "command": None}


@contextmanager
def web_receiver(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An HTTP server that keeps what is posted to it."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hooks/s3cret", received
        server.shutdown()


class MailBox(socketserver.StreamRequestHandler):
    """Just enough of RFC 5321 to take one message."""

    def handle(self) -> None:
        received = self.server.received  # type: ignore[attr-defined]
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self.wfile.write(b"354 go on\r\n")
                text = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                received["text"] = "".join(text)
            elif line.upper().startswith(("MAIL FROM", "RCPT TO")):
                received.setdefault("envelope", []).append(line.split(" ")[1])
            self.wfile.write(b"221 bye\r\n" if line.upper() == "QUIT" else b"250 OK\r\n")
            if line.upper() == "QUIT":
                return


@pytest.fixture
def mail_server():
    with socketserver.TCPServer(("127.0.0.1", 0), MailBox) as server:
        server.received = {}  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_webhook_gets_the_message_as_json(monkeypatch):
    with web_receiver(200) as (address, received):
        monkeypatch.setenv("TEAM_HOOK", address)
        notify(MESSAGE, NotifyParams(**{**NOBODY, "webhook": {"url_from": "TEAM_HOOK"}}))

    assert len(received) == 1
    assert received[0]["dataset"] == "ratings"
    assert received[0]["state"] == "Failed"
    assert "a rating of 9" in received[0]["text"]
    assert received[0]["link"].endswith("/8e3f")


@pytest.mark.parametrize("status", [404, None], ids=["refused", "nobody there"])
def test_a_webhook_that_fails_is_logged_without_its_secret_address(monkeypatch, caplog, status):
    with web_receiver(status or 200) as (address, _):
        if status is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            address = f"http://127.0.0.1:{port}/hooks/s3cret"
        monkeypatch.setenv("TEAM_HOOK", address)
        with caplog.at_level(logging.WARNING, "flows.orchestration.notify"):
            notify(MESSAGE, NotifyParams(**{**NOBODY, "webhook": {"url_from": "TEAM_HOOK"}}))

    assert "The webhook about nightly was not sent" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_mail_goes_to_every_recipient(mail_server):
    email = {
        "host": "127.0.0.1",
        "port": mail_server.server_address[1],
        "security": "none",
        "sender": "autorec@example.org",
        "recipients": ["ann@example.org", "bob@example.org"],
        "user_from": None,
        "password_from": None,
    }
    notify(MESSAGE, NotifyParams(**{**NOBODY, "email": email}))

    mail = message_from_string(mail_server.received["text"])
    assert mail["Subject"] == "AutoRec ratings: autorec failed"
    assert "a rating of 9" in mail.get_payload()
    assert mail_server.received["envelope"] == [
        "FROM:<autorec@example.org>",
        "TO:<ann@example.org>",
        "TO:<bob@example.org>",
    ]


def test_a_command_gets_the_message_on_stdin_even_if_another_channel_fails(tmp_path, caplog):
    heard = tmp_path / "heard.json"
    params = NotifyParams(
        webhook={"url_from": "NO_SUCH_VARIABLE"}, email=None, command=["tee", str(heard)]
    )
    notify(MESSAGE, params)

    assert json.loads(heard.read_text())["run"] == "8e3f"
    assert "the environment variable NO_SUCH_VARIABLE of params.yaml is not set" in caplog.text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("webhook: {url_from: 'https://x/y'}", "`notify.webhook.url_from` is 'https://x/y'"),
        ("webhook: {url: x}", "unknown key `notify.webhook.url`"),
        ("command: []", "`notify.command` is []"),
    ],
)
def test_wrong_settings_are_named_before_anything_runs(tmp_path, written, said):
    text = PARAMS_FILE.read_text(encoding="utf-8")
    key = written.partition(":")[0]
    lines = [
        f"  {written}" if line.startswith(f"  {key}: null") else line for line in text.splitlines()
    ]
    (tmp_path / "params.yaml").write_text("\n".join(lines), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        Params.load(tmp_path / "params.yaml")

    assert said in str(caught.value)
