"""The environment that every entrance sets before the heavy imports: quiet, private, no pickle."""

from __future__ import annotations

import atexit
import ipaddress
import logging
import os
import pwd
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from autorec_core.errors import ConfigError, listed

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # a busy machine takes its time
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


_SERVERS = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "socks_proxy")


def prepare_environment() -> None:
    """Sets what a user has not set: no telemetry, no start-up chatter, no pickle.

    A password inside MLFLOW_TRACKING_URI moves to the variables that MLflow has for it, since
    addresses are told in messages. Servers on this machine are reached without a proxy. Also puts
    this Python's folder first on PATH, so that the stages' `python` is this one.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    _set_password_apart()
    _name_unknown_user()
    servers = (host_of(os.environ.get(name, "")) for name in _SERVERS)
    bypass_proxies(*_LOOPBACK, *filter(is_loopback, servers))
    here = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != here:
        os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def without_password(address: str) -> str:
    """An address without the user and password that it may hold."""
    parts = _parts(address)
    if parts is None:
        return "an address that cannot be read"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def host_of(address: str) -> str:
    """The host that an address names; "" where it names none."""
    parts = _parts(address)
    return (parts.hostname if parts else None) or ""


def _parts(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:  # "http://[::1" for instance
        return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, which no other machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def proxy_variables() -> list[str]:
    """The variables of the environment that name a proxy."""
    return sorted(name for name, value in os.environ.items() if value and name.lower() in _PROXIES)


def bypass_proxies(*hosts: str) -> None:
    """Has requests to these hosts go there directly, in this process and those it starts.

    A proxy, on another machine perhaps, would look for `localhost` on itself. Where no variable
    names a proxy nothing is set: on macOS that would hide the proxies of the system's settings.

    Args:
        hosts: Names or addresses, without ports.
    """
    if not proxy_variables():
        return
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [name.strip() for name in given.split(",") if name.strip()]
    names += [host for host in dict.fromkeys(hosts) if host not in names]
    if "*" not in names:  # which bypasses every proxy already, but only where it stands alone
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(names)


def check_proxies() -> None:
    """Makes sure that the proxies which the environment names can be used.

    Raises:
        ConfigError: One of them has a form that the HTTP library does not know.
    """
    if names := proxy_variables():
        import httpx

        try:
            httpx.Client().close()
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise ConfigError(
                f"The environment names a proxy that cannot be used ({listed(names)}): its address "
                "must begin with http://, https://, socks5:// or socks5h://. Correct or unset it."
            ) from error


def _name_unknown_user() -> None:
    """Gives a name and a home to a user id without an entry, as containers may have it.

    DVC, MLflow and others ask for them, and would end in a traceback.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        if not any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
            os.environ["LOGNAME"] = os.environ["USER"] = f"uid{os.getuid()}"
        if not os.access(os.environ.get("HOME", ""), os.W_OK | os.X_OK):
            os.environ["HOME"] = tempfile.mkdtemp(prefix="autorec-home-")
            atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)


def _set_password_apart() -> None:
    name = "MLFLOW_TRACKING_URI"
    parts = _parts(os.environ.get(name, ""))
    if parts and parts.scheme in ("http", "https") and "@" in parts.netloc:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
        os.environ[name] = without_password(os.environ[name])
