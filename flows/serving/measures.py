"""What Prometheus reads of a server: requests, their times, rows, and the model behind them."""

from __future__ import annotations

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
