"""The HTTP API: POST /score and /recommend, GET /health, /model, /metrics. /docs describes it."""

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
from flows.serving.api import feedback_route, recommend_routes
from flows.serving.api.access import Guarded, Keys, describe_access
from flows.serving.api.live_model import Champion, Live
from flows.serving.api.prometheus import Measured, Measures
from flows.serving.api.recommend_requests import Recommendations
from flows.serving.api.request_body import parse_rows, read_body
from flows.serving.api.unexpected_errors import WithoutIds
from flows.watching.recorder import Recorder, Scored

PATHS = (
    "/score",
    "/health",
    "/model",
    "/metrics",
    "/docs",
    "/openapi.json",
    *recommend_routes.PATHS,
    *feedback_route.PATHS,
)


def make_app(
    champion: Champion,
    settings: ServeParams,
    measures: Measures,
    recommendations: Recommendations,
    keys: Keys | None = None,
    recorder: Recorder | None = None,
    make_judge: feedback_route.MakeJudge | None = None,
) -> FastAPI:
    """Creates the web application for one champion.

    Args:
        champion: The model that answers. Its alias is followed while the application runs.
        settings: Limits of a request.
        measures: Counts requests.
        recommendations: Recommends with the model.
        keys: The API keys; None to answer everyone.
        recorder: Profiles what is scored; None to profile nothing.
        make_judge: Makes what takes labels that come later; None for no POST /feedback.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        champion.start()
        if recorder is not None:
            recorder.start()
        yield
        await anyio.to_thread.run_sync(champion.stop)
        if recorder is not None:
            await anyio.to_thread.run_sync(recorder.stop)

    # TensorFlow uses every core for one call, so more parallel calls only slow each other down.
    limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
    title = model_name(champion.live.version.dataset)
    app = FastAPI(title=title, lifespan=lifespan, redoc_url=None)

    app.add_middleware(WithoutIds)
    if keys is not None:
        app.add_middleware(Guarded, keys=keys)
    app.add_middleware(Measured, measures=measures, paths=PATHS)

    @app.post("/score", summary="Score raw rows")
    async def score(request: Request) -> Response:
        live = champion.live  # the same version for the whole request, even if the alias moves
        body = await read_body(request, settings.max_body_bytes)
        scores, unknown = await anyio.to_thread.run_sync(
            _answer, live, body, settings.max_rows, recorder, limiter=limiter
        )
        measures.scored(len(scores))
        content = {"version": live.version.number, "scores": scores}
        if unknown:
            content["unknown"] = unknown
        return Response(
            orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
        )

    @app.get("/health", summary="State of the model and its last look-up in the registry")
    async def health() -> dict[str, Any]:
        trouble = champion.trouble
        return {
            "status": "ok" if trouble is None else "stale",
            "version": champion.live.version.number,
            "looked_up_seconds_ago": round(time.time() - champion.looked, 1),
            "trouble": trouble,
        }

    @app.get("/model", summary="The live version, its test metrics and its lineage")
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

    @app.get("/metrics", summary="Metrics for Prometheus")
    async def metrics() -> Response:
        measures.version.set(champion.live.version.number)
        return Response(generate_latest(measures.registry), media_type=CONTENT_TYPE_LATEST)

    recommend_routes.add_recommend(app, champion, recommendations, settings, limiter)
    if make_judge is not None:
        feedback_route.add_feedback(app, champion, make_judge, settings, limiter)
    app.openapi = lambda: _openapi(app, champion.live, keys)  # type: ignore[method-assign]
    return app


def _answer(
    live: Live, body: bytes, most: int, recorder: Recorder | None
) -> tuple[np.ndarray, dict[str, float]]:
    """Scores the rows of a request. Runs in a thread, so that it does not block other requests.

    Returns:
        The scores, and the share of unknown ids by column for columns with unusually many.
    """
    unknown, began = live.scorer.unknown_ids(), time.perf_counter()
    try:
        columns = live.columns_of(parse_rows(body, live.requests, most))
        scores = live.scorer.score_lists(columns, unknown)
    except DataError as error:
        raise HTTPException(422, [{"loc": ["body", "rows"], "msg": str(error)}]) from error
    except RegistryError as error:
        raise HTTPException(503, str(error)) from error
    if not (finite := np.isfinite(scores)).all():
        place = ["body", "rows", int(finite.argmin())]
        raise HTTPException(422, [{"loc": place, "msg": "Its numbers are too large to score"}])
    if recorder is not None:
        seconds, missing = time.perf_counter() - began, tuple(live.scorer.missing)
        recorder.add(Scored(live.version, columns, scores, unknown.counts, missing, seconds))
    return scores, unknown.unusual


def _openapi(app: FastAPI, live: Live, keys: Keys | None) -> dict[str, Any]:
    """Returns the OpenAPI description, with the columns of the live model."""
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
                    "Share of unknown ids by column. Present only if a column has more unknown ids "
                    "than usual"
                ),
            },
        },
        "required": ["version", "scores"],
    }
    operation["responses"] = {
        "200": {
            "description": "One score per row, in the order of the rows",
            "content": {"application/json": {"schema": answer}},
        },
        "413": {"description": "Too many bytes or rows"},
        "422": {"description": "Invalid rows: what is wrong, and where"},
        "503": {"description": "The model does not answer"},
    }
    if keys is not None:
        describe_access(document)
    return document
