"""What Prometheus reads of a server: requests, their times, rows, and the model behind them."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Measures:
    """One server's measures, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "autorec_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "autorec_request_seconds",
            "Time to the answer.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rows = Counter("autorec_rows_scored", "Rows scored.", registry=self.registry)
        self._looks = Counter(
            "autorec_alias_looks", "Looks at the alias.", ["outcome"], registry=self.registry
        )
        self.version = Gauge(
            "autorec_model_version", "The version that answers.", registry=self.registry
        )

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def scored(self, rows: int) -> None:
        """Counts scored rows."""
        self._rows.inc(rows)

    def looked(self, outcome: str) -> None:
        """Counts one look at the alias: "same", "moved" or "failed"."""
        self._looks.labels(outcome).inc()


class Measured:
    """Counts what passes through an application; plain ASGI, since each request pays for it.

    Args:
        app: The application.
        measures: Where requests are counted.
        paths: Those counted by name; all others are "other", so that nobody can invent new ones.
    """

    def __init__(self, app: Any, measures: Measures, paths: tuple[str, ...]) -> None:
        self._app, self._measures, self._paths = app, measures, paths

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def heard(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._measures.answered(path, status, time.perf_counter() - started)
