"""Adds to the HTTP API: POST /recommend, GET /history, and at / a page that shows both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import orjson
from fastapi import FastAPI, HTTPException, Query, Response
from fastapi import Request as HttpRequest
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter

from autorec_core.errors import DataError
from flows.config import ServeParams
from flows.registry.versions import RegistryError
from flows.serving.api.live_model import Champion
from flows.serving.api.recommend_requests import Recommendations, Request
from flows.serving.api.request_body import parse, read_body

PATHS = ("/", "/recommend", "/history")
PAGE = Path(__file__).with_name("page.html")
# The page is all there is to load; it talks to this server alone.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_REQUESTS: TypeAdapter[Any] = TypeAdapter(Request)


def add_recommend(
    app: FastAPI,
    champion: Champion,
    recommendations: Recommendations,
    settings: ServeParams,
    limiter: anyio.CapacityLimiter,
) -> None:
    """Adds the routes to an application.

    Args:
        app: The application.
        champion: The model that answers.
        recommendations: What recommends with it.
        settings: Limits of a request.
        limiter: How many requests are worked on at once.
    """
    page = PAGE.read_text(encoding="utf-8")
    schema = Request.model_json_schema()

    @app.post(
        "/recommend",
        summary="The best items of one user",
        responses={422: {"description": "What is wrong"}},
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
        },
    )
    async def recommend(request: HttpRequest) -> Response:
        live = champion.live  # the same version for the whole request, even if the alias moves
        asked = parse(await read_body(request, settings.max_body_bytes), _REQUESTS)
        return await _answered(lambda: recommendations.answer(live, asked), limiter)

    @app.get("/history", summary="What one user has met, the latest first")
    async def history(user: str = Query(description="The user")) -> Response:
        live = champion.live
        return await _answered(lambda: recommendations.history(live, user), limiter)

    @app.get("/", include_in_schema=False)
    async def shown() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


async def _answered(work: Callable[[], Any], limiter: anyio.CapacityLimiter) -> Response:
    """Answers with the result of `work` as JSON, or with what is wrong. Runs it in a thread."""
    try:
        content = await anyio.to_thread.run_sync(work, limiter=limiter)
    except DataError as error:
        raise HTTPException(422, [{"loc": ["body"], "msg": str(error)}]) from error
    except RegistryError as error:
        raise HTTPException(503, str(error)) from error
    return Response(orjson.dumps(content), media_type="application/json")
