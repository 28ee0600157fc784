"""Reads and validates a request's body, with size limits and clear error messages."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException, Request
from pydantic import TypeAdapter, ValidationError

MANY = 20
"""Maximum number of mistakes in one answer, even if a body has ten thousand wrong rows."""

KINDS = ("str", "int", "float", "bool")
"""Names of a cell's types in the locations of pydantic's errors."""


async def read_body(request: Request, limit: int) -> bytes:
    """Reads the body. Never keeps more than `limit` bytes in memory.

    Raises:
        HTTPException: 413, the body is longer.
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
    """Validates a request's body.

    Args:
        body: JSON.
        requests: The validator.

    Raises:
        HTTPException: 422 with location and message of each mistake.
    """
    try:
        return requests.validate_json(body)
    except ValidationError as error:
        # Without the values, which may be personal data and as long as the body.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise HTTPException(422, _plain(found)[:MANY]) from error


def parse_rows(body: bytes, requests: TypeAdapter[Any], most: int) -> list[Any]:
    """Validates a request's body and returns its rows.

    Args:
        body: JSON.
        requests: The validator.
        most: Maximum number of rows.

    Raises:
        HTTPException: 422 with location and message of each mistake, or 413 for too many rows.
    """
    rows = parse(body, requests).rows
    if len(rows) > most:
        raise HTTPException(413, f"{len(rows):,} rows; at most {most:,} (serve.max_rows).")
    return rows


def _expected(errors: list[Any]) -> str:
    """Returns a message with the allowed values of a cell, from the types that were tried."""
    text = "Text, a" if any("str" in one["loc"] for one in errors) else "A"
    return f"{text} finite number, true, false or null expected"


def _plain(errors: list[Any]) -> list[dict[str, Any]]:
    """Merges pydantic's errors to one per location. It reports one for each allowed type."""
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
