"""Answers 500 to a request that met an unexpected error, and logs only where it happened.

The message of an error, such as KeyError, may hold an id of the request. Logs never hold ids.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

import orjson

logger = logging.getLogger(__name__)


class WithoutIds:
    """ASGI middleware that keeps the messages of unexpected errors out of the log.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def note_begin(message: Any) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_begin)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "?"
            logger.error("%s failed: %s in %s", scope["path"], type(error).__name__, where)
            if begun:
                return
            body = orjson.dumps({"detail": "The server failed. Its log says where."})
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": body})
