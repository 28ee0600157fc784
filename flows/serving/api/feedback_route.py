"""Adds to the HTTP API: POST /feedback, which takes rows whose labels came later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import orjson
import pandas as pd
from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from autorec_core.errors import DataError
from flows.config import ServeParams
from flows.registry.loading import RowScorer
from flows.registry.versions import RegistryError, Version
from flows.serving.api.live_model import Category, Champion, Live
from flows.serving.api.request_body import parse_rows, read_body
from flows.watching.feedback import Judge

PATHS = ("/feedback",)
MakeJudge = Callable[[Version, RowScorer], Judge]


class Feedback(BaseModel):
    """Raw rows with the columns of the model and the label."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    rows: list[dict[str, Category]] = Field(min_length=1)


_REQUESTS: TypeAdapter[Any] = TypeAdapter(Feedback)


class Judges:
    """The judge of the live version. It is made when the first label of a version comes.

    Args:
        make: Makes the judge of a version and its scorer.
    """

    def __init__(self, make: MakeJudge) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._judge: tuple[int, Judge] | None = None

    def of(self, live: Live) -> Judge:
        """Returns the judge of a version."""
        version = live.version
        with self._lock:
            if self._judge is None or self._judge[0] != version.number:
                self._judge = (version.number, self._make(version, live.scorer))
            return self._judge[1]


def add_feedback(
    app: FastAPI,
    champion: Champion,
    make_judge: MakeJudge,
    settings: ServeParams,
    limiter: anyio.CapacityLimiter,
) -> None:
    """Adds the route to an application.

    Args:
        app: The application.
        champion: The model whose scores are compared with the labels.
        make_judge: Makes the judge of a version and its scorer.
        settings: Limits of a request.
        limiter: How many requests are worked on at once.
    """
    judges = Judges(make_judge)

    @app.post(
        "/feedback",
        summary="Add rows whose labels came later",
        responses={422: {"description": "What is wrong"}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": Feedback.model_json_schema()}},
            }
        },
    )
    async def feedback(request: Request) -> Response:
        live = champion.live
        body = await read_body(request, settings.max_body_bytes)
        content = await anyio.to_thread.run_sync(
            _taken, judges, live, body, settings.max_rows, limiter=limiter
        )
        return Response(orjson.dumps(content), media_type="application/json")


def _taken(judges: Judges, live: Live, body: bytes, most: int) -> dict[str, Any]:
    rows = parse_rows(body, _REQUESTS, most)
    try:
        counted, left_out, loss = judges.of(live).take(pd.DataFrame(rows, dtype=object))
    except DataError as error:
        raise HTTPException(422, [{"loc": ["body", "rows"], "msg": str(error)}]) from error
    except RegistryError as error:
        raise HTTPException(503, str(error)) from error
    answer: dict[str, Any] = {
        "version": live.version.number,
        "counted": counted,
        "left_out": left_out,
    }
    if loss is not None:
        answer["loss"] = {"rows": loss.rows, "mean": loss.mean, "low": loss.low, "high": loss.high}
    return answer
