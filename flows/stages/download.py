"""HTTP downloads that continue after an interruption and show their progress."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx

from autorec_core.errors import DataError, UnreachableError, listed

TIMEOUT = 30.0
TRIES = 3
LOG_SECONDS = 10.0

log = logging.getLogger(__name__)


class Advance(Protocol):
    """A function that shows the progress of a download."""

    def __call__(self, done: int, total: int | None) -> None:
        """Called after each piece with the bytes so far and all bytes; None if unknown."""


def download(url: str, partial: Path, credentials: list[str] | None = None) -> None:
    """Downloads a file, and continues an earlier download that was interrupted.

    Args:
        url: The URL.
        partial: The file to write. If it exists, the download continues at its end.
        credentials: Names of two environment variables with user and password, if the owner of the
            file requires a login.

    Raises:
        UnreachableError: The server does not answer, or answers with an error, or the environment
            lacks the credentials.
        DataError: The URL would send the credentials without encryption.
    """
    login = _login(url, credentials)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT, auth=login) as client:
        for left in reversed(range(TRIES)):
            try:
                _continue(client, url, partial)
                return
            except httpx.HTTPStatusError as error:
                raise _refused(error.response.status_code, credentials) from error
            except httpx.HTTPError as error:
                if not left or not partial.exists():
                    raise UnreachableError(f"no answer ({type(error).__name__})") from error
                log.info("%s was interrupted (%s); continuing", url, type(error).__name__)


def _continue(client: httpx.Client, url: str, partial: Path) -> None:
    """Sends one request for the part of the file that `partial` does not have yet."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # the file is complete; the caller compares its hash
        answer.raise_for_status()
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            have = 0  # the server sends the whole file again
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with partial.open("ab" if have else "wb") as file, _shown(url) as advance:
            # Raw bytes: with decoded bytes, offsets and lengths would be wrong. Written as they
            # arrive: bytes in a buffer would be lost with the connection.
            for chunk in answer.iter_raw():
                file.write(chunk)
                have += len(chunk)
                advance(have, total)
    if total is not None and have < total:
        raise httpx.RemoteProtocolError("the answer ended early")


def _login(url: str, credentials: list[str] | None) -> tuple[str, str] | None:
    if credentials is None:
        return None
    if not url.startswith("https://"):
        raise DataError("credentials are sent only to https URLs")
    if missing := [name for name in credentials if not os.environ.get(name)]:
        raise UnreachableError(
            f"its owner requires a login: set {listed(missing)} in the environment"
        )
    user, password = (os.environ[name] for name in credentials)
    return user, password


def _refused(status: int, credentials: list[str] | None) -> UnreachableError:
    reason = f"the server answers {status}"
    if status in (401, 403) and credentials:
        reason += f"; check {listed(credentials)}, and accept the terms on the data set's page"
    return UnreachableError(reason)


@contextmanager
def _shown(url: str) -> Iterator[Advance]:
    """Shows a progress bar on a terminal, or logs a line every `LOG_SECONDS` seconds."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(url)
        return
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*Progress.get_default_columns()[:2], *columns, console=console) as bar:
        task = bar.add_task(url.rpartition("/")[2], total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Logs the progress of a download every `LOG_SECONDS` seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._logged = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._logged < LOG_SECONDS:
            return
        self._logged = time.monotonic()
        of_all = f" of {total:,} ({done / total:.0%})" if total else ""
        log.info("%s: %s%s bytes", self._url, f"{done:,}", of_all)
