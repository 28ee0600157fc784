"""The HTTP API: POST /score and /recommend, GET /health, /model, /metrics; /docs shows it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.openapi.utils import get_openapi
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from autorec_core.errors import DataError
from flows.config import ServeParams
from flows.registry.versions import RegistryError, model_name
from flows.serving import recommend_routes
from flows.serving.live_model import Champion, Live
from flows.serving.prometheus import Measured, Measures
from flows.serving.recommend_requests import Recommendations
from flows.serving.request_body import parse_rows, read_body

PATHS = (
    "/score",
    "/health",
    "/model",
    "/metrics",
    "/docs",
    "/openapi.json",
    *recommend_routes.PATHS,
)


def make_app(
    champion: Champion,
    settings: ServeParams,
    measures: Measures,
    recommendations: Recommendations,
) -> FastAPI:
    """The application over one champion.

    Args:
        champion: The model that answers; it is followed while the application runs.
        settings: Limits of a request.
        measures: Where requests are counted.
        recommendations: What recommends with the model.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        champion.start()
        yield
        await anyio.to_thread.run_sync(champion.stop)

    # TensorFlow uses every core for one call; more calls at once only make each other wait.
    limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
    title = model_name(champion.live.version.dataset)
    app = FastAPI(title=title, lifespan=lifespan, redoc_url=None)

    app.add_middleware(Measured, measures=measures, paths=PATHS)

    @app.post("/score", summary="Score raw rows")
    async def score(request: Request) -> Response:
        live = champion.live  # this one to the end, wherever the alias moves meanwhile
        body = await read_body(request, settings.max_body_bytes)
        scores, unknown = await anyio.to_thread.run_sync(
            _answer, live, body, settings.max_rows, limiter=limiter
        )
        measures.scored(len(scores))
        content = {"version": live.version.number, "scores": scores}
        if unknown:
            content["unknown"] = unknown
        return Response(
            orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
        )

    @app.get("/health", summary="Whether the model answers and the registry is seen")
    async def health() -> dict[str, Any]:
        trouble = champion.trouble
        return {
            "status": "ok" if trouble is None else "stale",
            "version": champion.live.version.number,
            "looked_up_seconds_ago": round(time.time() - champion.looked, 1),
            "trouble": trouble,
        }

    @app.get("/model", summary="The version that answers, its test figures and where it comes from")
    async def model() -> dict[str, Any]:
        live = champion.live
        tags = live.version.tags
        return {
            "name": title,
            "version": live.version.number,
            "metrics": live.version.figures,
            "columns": live.scorer.columns,
            "data": tags.get("dvc.prepared"),
            "commit": tags.get("git.commit"),
            "decision": tags.get("decision"),
        }

    @app.get("/metrics", summary="Measures for Prometheus")
    async def metrics() -> Response:
        measures.version.set(champion.live.version.number)
        return Response(generate_latest(measures.registry), media_type=CONTENT_TYPE_LATEST)

    recommend_routes.add_recommend(app, champion, recommendations, settings, limiter)
    app.openapi = lambda: _described(app, champion.live)  # type: ignore[method-assign]
    return app


def _answer(live: Live, body: bytes, most: int) -> tuple[np.ndarray, dict[str, float]]:
    """Scores a request's rows; runs on a thread of its own, so that others are heard.

    Returns:
        The scores, and of columns with unusually many unknown ids the share of those.
    """
    unknown = live.scorer.unknown_ids()
    try:
        scores = live.score(parse_rows(body, live.requests, most), unknown)
    except DataError as error:
        raise HTTPException(422, [{"loc": ["body", "rows"], "msg": str(error)}]) from error
    except RegistryError as error:
        raise HTTPException(503, str(error)) from error
    if not (finite := np.isfinite(scores)).all():
        place = ["body", "rows", int(finite.argmin())]
        raise HTTPException(
            422, [{"loc": place, "msg": "Its numbers are beyond what can be scored"}]
        )
    return scores, unknown.unusual


def _described(app: FastAPI, live: Live) -> dict[str, Any]:
    """The API's description, with the columns of the model that answers now."""
    document = get_openapi(title=app.title, version=str(live.version.number), routes=app.routes)
    template = "#/components/schemas/{model}"
    schema = live.requests.json_schema(ref_template=template)
    document.setdefault("components", {}).setdefault("schemas", {}).update(schema.pop("$defs"))
    operation = document["paths"]["/score"]["post"]
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": schema}},
    }
    answer = {
        "type": "object",
        "properties": {
            "version": {"type": "integer"},
            "scores": {"type": "array", "items": {"type": "number"}},
            "unknown": {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "description": (
                    "Only where more ids than usual are unknown to the model: the columns, and the "
                    "share of unknown ids in each"
                ),
            },
        },
        "required": ["version", "scores"],
    }
    operation["responses"] = {
        "200": {
            "description": "A score a row, in order",
            "content": {"application/json": {"schema": answer}},
        },
        "413": {"description": "Too many bytes or rows"},
        "422": {"description": "What is wrong, and where"},
        "503": {"description": "The model does not answer"},
    }
    return document
