"""The `serve` section of params.yaml, with what a test changes."""

from __future__ import annotations

from typing import Any

from project import ROOT

from flows.config import Params, ServeParams


def serve_settings(**changed: Any) -> ServeParams:
    """Returns the settings of a server."""
    return Params.load(ROOT / "params.yaml").serve.model_copy(update=changed)
