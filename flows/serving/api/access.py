"""Who may ask a server, and how often: API keys, a limit of requests, and TLS.

Keys come from an environment variable. Only their hashes are kept, and all of them are compared in
constant time, so the time of an answer tells nothing about a key.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from autorec_core.errors import ConfigError
from flows.config import ServeParams

OPEN_PATHS = ("/health", "/")
"""Anyone may ask whether the server lives, and load the page, which holds no data."""
FEWEST_CHARACTERS = 16
SCHEME = "Bearer"


class Keys:
    """The API keys of a server, and how many requests each has left.

    Args:
        keys: The keys.
        requests_per_minute: The most requests of one key in a minute; None for any number.
        now: Returns the time in seconds; a test can give its own.
    """

    def __init__(
        self,
        keys: Sequence[str],
        requests_per_minute: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._digests = [_digest(key) for key in keys]
        self._limit = requests_per_minute
        self._now = now
        self._lock = threading.Lock()
        self._left = [float(requests_per_minute or 0)] * len(keys)
        self._counted_at = [now()] * len(keys)

    def find(self, header: str | None) -> int | None:
        """Returns which key a request has; None if it has none of them.

        Args:
            header: The request's `Authorization` header.
        """
        scheme, _, key = (header or "").partition(" ")
        asked, found = _digest(key.strip()), None
        for place, digest in enumerate(self._digests):  # all of them, so that each takes as long
            if hmac.compare_digest(asked, digest) and scheme.lower() == SCHEME.lower():
                found = place
        return found

    def wait(self, place: int) -> float:
        """Counts a request of a key.

        Returns:
            Seconds until the key may ask; 0 if it may ask now. A refused request is not counted.
        """
        if self._limit is None:
            return 0.0
        rate = self._limit / 60
        with self._lock:
            now = self._now()
            left = self._left[place] + (now - self._counted_at[place]) * rate
            self._left[place], self._counted_at[place] = min(left, float(self._limit)), now
            if self._left[place] < 1:
                return (1 - self._left[place]) / rate
            self._left[place] -= 1
        return 0.0


class Guarded:
    """ASGI middleware that lets only requests with an API key pass.

    Args:
        app: The application.
        keys: The keys.
    """

    def __init__(self, app: Any, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes one request on, or answers 401 or 429."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        place = self._keys.find(headers.get(b"authorization", b"").decode("latin-1"))
        if place is None:
            what = f"An API key is needed, as the header `Authorization: {SCHEME} KEY`."
            await _refuse(send, 401, what, (b"www-authenticate", SCHEME.encode()))
        elif (wait := self._keys.wait(place)) > 0:
            seconds = max(1, round(wait + 0.5))
            what = f"Too many requests with this key (serve.requests_per_minute): wait {seconds} s."
            await _refuse(send, 429, what, (b"retry-after", str(seconds).encode()))
        else:
            await self._app(scope, receive, send)


async def _refuse(send: Any, status: int, what: str, header: tuple[bytes, bytes]) -> None:
    body = orjson.dumps({"detail": what})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, header]})
    await send({"type": "http.response.body", "body": body})


def read_keys(settings: ServeParams, host: str) -> Keys | None:
    """Reads the API keys of a server from its environment variable.

    Args:
        settings: The settings of the server.
        host: The address that it listens on.

    Returns:
        The keys; None if the server needs none, because only this machine can ask.

    Raises:
        ConfigError: Other machines can ask and there are no keys, or a key is too short.
    """
    if settings.keys_from is None:
        if is_loopback(host):
            return None
        raise ConfigError(
            f"A server on {host} answers other machines, so it needs API keys: name an environment "
            "variable that holds them in `serve.keys_from`, or listen on 127.0.0.1."
        )
    keys = os.environ.get(settings.keys_from, "").replace(",", " ").split()
    if not keys:
        raise ConfigError(
            f"The environment variable {settings.keys_from} of `serve.keys_from` holds no API key. "
            "Several keys are separated by spaces or commas."
        )
    for place, key in enumerate(keys, 1):
        if len(key) < FEWEST_CHARACTERS:
            raise ConfigError(
                f"API key {place} of {len(keys)} in {settings.keys_from} has {len(key)} "
                f"characters, but needs {FEWEST_CHARACTERS}. `openssl rand -hex 24` makes a key."
            )
    return Keys(keys, settings.requests_per_minute)


def tls_files(settings: ServeParams) -> dict[str, str]:
    """Returns uvicorn's settings for TLS; none if a proxy does it, or only this machine can ask.

    Raises:
        ConfigError: A file cannot be read.
    """
    if settings.tls is None:
        return {}
    for name, path in (("certificate", settings.tls.certificate), ("key", settings.tls.key)):
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            raise ConfigError(f"`serve.tls.{name}`: {path} cannot be read: {error}.") from error
    return {"ssl_certfile": settings.tls.certificate, "ssl_keyfile": settings.tls.key}


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def describe_access(document: dict[str, Any]) -> None:
    """Adds the API keys and the answers without one to an OpenAPI description."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"key": {"type": "http", "scheme": SCHEME.lower()}}
    for path, operations in document["paths"].items():
        if path in OPEN_PATHS:
            continue
        for operation in operations.values():
            operation["security"] = [{"key": []}]
            operation["responses"]["401"] = {"description": "No API key, or an unknown one"}
            operation["responses"]["429"] = {"description": "Too many requests with this key"}


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
