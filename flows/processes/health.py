"""Whether a server answers as it should."""

from __future__ import annotations

import httpx

from autorec_core.errors import UnreachableError
from flows.environment import host_of, is_loopback, without_password

SECONDS = 5.0


def fault_of_server(address: str, seconds: float = SECONDS) -> str | None:
    """What is wrong with a server.

    Args:
        address: The page that tells its health. On this machine it is asked without any proxy.
        seconds: How long it may take to answer.

    Returns:
        The fault in a few words; None where the server is well.
    """
    try:
        proxies = not is_loopback(host_of(address))
        code = httpx.get(address, timeout=seconds, trust_env=proxies).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
        return str(error) or type(error).__name__
    return None if code == httpx.codes.OK else f"HTTP {code}"


def check_prefect(address: str) -> None:
    """Makes sure that the Prefect server which a run is to use answers.

    It is asked as Prefect itself will ask it, with its certificates and passwords.

    Args:
        address: The value of PREFECT_API_URL.

    Raises:
        UnreachableError: It does not answer, or is something else.
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
            f"{_in_short(fault)}. "
            "Start it (`make up`), or unset PREFECT_API_URL to run without it."
        )


def _in_short(fault: Exception) -> str:
    if isinstance(fault, httpx.HTTPStatusError):
        return f"HTTP {fault.response.status_code}"
    lines = str(fault).splitlines() or [type(fault).__name__]
    return lines[0].rstrip(".")
