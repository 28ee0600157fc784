"""Health checks of the MLflow and Prefect servers."""

from __future__ import annotations

import httpx

from autorec_core.errors import UnreachableError
from flows.environment import host_of, is_loopback, without_password

SECONDS = 5.0


def fault_of_server(address: str, seconds: float = SECONDS) -> str | None:
    """Asks a server for its health and returns what is wrong with it.

    Args:
        address: URL of the server's health page. A server on this machine is asked without a proxy.
        seconds: Timeout in seconds.

    Returns:
        The fault in a few words, or None if the server is healthy.
    """
    try:
        proxies = not is_loopback(host_of(address))
        code = httpx.get(address, timeout=seconds, trust_env=proxies).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
        return str(error) or type(error).__name__
    return None if code == httpx.codes.OK else f"HTTP {code}"


def check_prefect(address: str) -> None:
    """Checks that the Prefect server of PREFECT_API_URL answers.

    Uses Prefect's own client, so that its settings for certificates and passwords apply.

    Args:
        address: The value of PREFECT_API_URL.

    Raises:
        UnreachableError: The server does not answer, or it is not a Prefect server.
    """
    try:
        from prefect.client.orchestration import get_client
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client({"timeout": SECONDS}, sync_client=True) as client,
        ):
            fault = client.api_healthcheck()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RuntimeError) as error:
        fault = error
    if fault is not None:
        raise UnreachableError(
            f"No Prefect server answers at {without_password(address)} (PREFECT_API_URL): "
            f"{_short_text(fault)}. "
            "Start it (`make up`), or unset PREFECT_API_URL to run without it."
        )


def _short_text(fault: Exception) -> str:
    if isinstance(fault, httpx.HTTPStatusError):
        return f"HTTP {fault.response.status_code}"
    lines = str(fault).splitlines() or [type(fault).__name__]
    return lines[0].rstrip(".")
