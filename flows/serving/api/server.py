"""Runs the HTTP server for one data set's champion."""

from __future__ import annotations

import logging
import threading
from functools import partial

import uvicorn

from flows.config import Params
from flows.registry.loading import load_scorer
from flows.registry.versions import LIVE, aliased
from flows.serving.api.access import is_loopback, read_keys, tls_files
from flows.serving.api.app import make_app
from flows.serving.api.live_model import Champion
from flows.serving.api.prometheus import Measures
from flows.serving.api.recommend_requests import Recommendations
from flows.watching.feedback import Judge
from flows.watching.journal import Journal
from flows.watching.recorder import Recorder
from flows.watching.reference import Reference
from flows.workspace import Places

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open. With uvicorn's default of 5 s, a client that pauses for
that long can send its next request to a connection that was just closed."""


def serve(dataset: str, *, host: str | None = None, port: int | None = None) -> None:
    """Serves until the process is stopped.

    Args:
        dataset: The data set.
        host: Address to listen on; None for `serve.host`.
        port: Port to listen on; None for `serve.port`.

    Raises:
        ConfigError: The data set is unknown or has no champion, or there are no API keys although
            other machines can ask.
        RegistryError: The champion cannot be loaded.
    """
    params = Params.load()
    params.dataset(dataset)
    settings, measures = params.serve, Measures()
    host = settings.host if host is None else host
    keys, tls = read_keys(settings, host), tls_files(settings)
    if not tls and not is_loopback(host):
        logger.warning(
            "Without TLS, API keys and ids can be read on the way: set `serve.tls`, or let only a "
            "proxy with TLS reach this server."
        )
    champion = Champion(
        find=lambda: aliased(dataset, LIVE),
        load=load_scorer,
        seconds=settings.refresh_seconds,
        told=measures.looked,
    )
    recommendations = Recommendations(dataset)
    journal = Journal(Places(dataset).watch)
    recorder = Recorder(journal, Reference.of) if params.watch.record else None
    make_judge = partial(Judge.of, journal=journal)
    # Large data take a while to read; scores need not wait for them.
    threading.Thread(
        target=recommendations.warm_up, args=(champion.live,), name="recommend", daemon=True
    ).start()
    uvicorn.run(
        make_app(champion, settings, measures, recommendations, keys, recorder, make_judge),
        host=host,
        port=settings.port if port is None else port,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        log_level="warning",
        access_log=False,
        **tls,  # type: ignore[arg-type]
    )
