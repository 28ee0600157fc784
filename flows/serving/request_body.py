"""Reads a request's body up to a limit, and says in plain words what is wrong with it."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException, Request
from pydantic import TypeAdapter, ValidationError

MANY = 20
"""Mistakes told at once; a body of ten thousand wrong rows gets a short answer all the same."""

KINDS = ("str", "int", "float", "bool")
"""What pydantic calls the types of a cell in the places of its errors."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body; no more than `limit` bytes of it are ever held.

    Raises:
        HTTPException: 413, it is longer.
    """
    declared = request.headers.get("content-length", "")
    parts, size = [], int(declared) if declared.isdigit() else 0
    if size <= limit:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                break
            parts.append(part)
    if size > limit:
        raise HTTPException(413, f"The body is longer than {limit:,} bytes (serve.max_body_bytes).")
    return b"".join(parts)


def parse(body: bytes, requests: TypeAdapter[Any]) -> Any:
    """What a request says.

    Args:
        body: JSON.
        requests: What it must look like.

    Raises:
        HTTPException: 422, with where and what for each mistake.
    """
    try:
        return requests.validate_json(body)
    except ValidationError as error:
        # Without the values themselves: they may be anybody's data, and as long as the body.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise HTTPException(422, _plain(found)[:MANY]) from error


def parse_rows(body: bytes, requests: TypeAdapter[Any], most: int) -> list[Any]:
    """The rows of a request.

    Args:
        body: JSON.
        requests: What it must look like.
        most: The most rows.

    Raises:
        HTTPException: 422, with where and what for each mistake, or 413, too many rows.
    """
    rows = parse(body, requests).rows
    if len(rows) > most:
        raise HTTPException(413, f"{len(rows):,} rows; at most {most:,} (serve.max_rows).")
    return rows


def _expected(errors: list[Any]) -> str:
    """What a cell may be, by the types that were tried."""
    text = "Text, a" if any("str" in one["loc"] for one in errors) else "A"
    return f"{text} finite number, true, false or null expected"


def _plain(errors: list[Any]) -> list[dict[str, Any]]:
    """One entry a place, where a column that allows several types has one for each of them."""
    places: dict[tuple[Any, ...], list[Any]] = {}
    for one in errors:
        place = tuple(part for part in one["loc"] if part not in KINDS)
        places.setdefault(place, []).append(one)
    return [
        {
            "loc": ["body", *place],
            "msg": found[0]["msg"] if len(found) == 1 else _expected(found),
            "type": found[0]["type"] if len(found) == 1 else "category_type",
        }
        for place, found in places.items()
    ]
