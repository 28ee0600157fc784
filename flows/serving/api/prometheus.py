"""Metrics of a server for Prometheus: requests, times, scored rows, live version."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Measures:
    """The metrics of one server, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "autorec_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "autorec_request_seconds",
            "Time until the answer.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rows = Counter("autorec_rows_scored", "Rows scored.", registry=self.registry)
        self._looks = Counter(
            "autorec_alias_looks", "Look-ups of the alias.", ["outcome"], registry=self.registry
        )
        self.version = Gauge("autorec_model_version", "The live version.", registry=self.registry)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def scored(self, rows: int) -> None:
        """Counts scored rows."""
        self._rows.inc(rows)

    def looked(self, outcome: str) -> None:
        """Counts one look-up of the alias: "same", "moved" or "failed"."""
        self._looks.labels(outcome).inc()


class Measured:
    """ASGI middleware that counts requests. Plain ASGI, because it is fast.

    Args:
        app: The application.
        measures: The metrics.
        paths: Paths that are counted by name. All others count as "other", so that clients cannot
            create any number of metrics.
    """

    def __init__(self, app: Any, measures: Measures, paths: tuple[str, ...]) -> None:
        self._app, self._measures, self._paths = app, measures, paths

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes on one request and counts it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def note_status(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._measures.answered(path, status, time.perf_counter() - started)
