"""Servers that are dead, slow, or answer nonsense."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from chaos.faults import Fault, Story
from chaos.installation import Installation
from chaos.invariants import clean_end

PATIENCE = 300.0
"""How long a run may try before it says that a server does not answer."""
KINDS = ("dead", "500", "slow", "silent", "nonsense")


def tracking_server(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Points MLflow's address to a server that does not do its work."""
    yield from _with_server(installation, random, story, "MLFLOW_TRACKING_URI", "")


def prefect_server(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Points Prefect's address to a server that does not do its work."""
    yield from _with_server(installation, random, story, "PREFECT_API_URL", "/api")


def _with_server(
    installation: Installation, random: Random, story: Story, variable: str, path: str
) -> Iterator[str]:
    kind = random.choice(KINDS)
    with _bad_server(kind) as address:
        story.tell(f"{variable} names a server that is {kind}")
        ended = installation.run({variable: f"{address}{path}"})
        story.tell(f"exit code {ended.code} after {ended.seconds:.0f} s: {ended.message}")
        yield from clean_end(ended)
        if ended.seconds > PATIENCE:
            yield f"It took {ended.seconds:.0f} seconds to say so."


@contextmanager
def _bad_server(kind: str) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if kind == "silent":  # takes connections and never answers
            listener.listen(64)
            yield address
            return
    if kind == "dead":
        yield address
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kind))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _handler(kind: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if kind == "slow":
                time.sleep(20)
            body = b"\x00not what you asked for" if kind == "nonsense" else b"{}"
            self.send_response(200 if kind == "nonsense" else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Stays quiet."""

    return Handler


FAULTS: dict[str, Fault] = {
    "a bad tracking server": tracking_server,
    "a bad Prefect server": prefect_server,
}
