"""Environment variables that every program here sets before heavy imports, and proxies."""

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
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # for busy machines
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


_SERVERS = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "socks_proxy")


def prepare_environment() -> None:
    """Sets variables that the user has not set: no telemetry, no start-up messages, no pickle.

    - Moves a password from MLFLOW_TRACKING_URI to MLflow's own variables, since messages show the
      URL.
    - Makes requests to servers on this machine bypass proxies.
    - Puts the folder of this Python first on PATH, so that DVC runs the stages with this Python.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    _move_mlflow_password()
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
    """Returns a URL without user and password."""
    parts = _parts(address)
    if parts is None:
        return "an invalid URL"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def host_of(address: str) -> str:
    """Returns the host of a URL, or "" if it has none."""
    parts = _parts(address)
    return (parts.hostname if parts else None) or ""


def _parts(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:  # for example "http://[::1"
        return None


def is_loopback(host: str) -> bool:
    """Returns whether a host name or IP address means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def proxy_variables() -> list[str]:
    """Returns the names of the environment variables that set a proxy."""
    return sorted(name for name, value in os.environ.items() if value and name.lower() in _PROXIES)


def bypass_proxies(*hosts: str) -> None:
    """Makes requests to these hosts bypass proxies, in this process and in its child processes.

    A proxy on another machine would look for `localhost` on itself. If no variable sets a proxy,
    nothing is changed: on macOS, `no_proxy` would hide the proxies of the system settings.

    Args:
        hosts: Names or addresses, without ports.
    """
    if not proxy_variables():
        return
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [name.strip() for name in given.split(",") if name.strip()]
    names += [host for host in dict.fromkeys(hosts) if host not in names]
    if "*" not in names:  # "*" already bypasses all proxies, but only if it is the only entry
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(names)


def check_proxies() -> None:
    """Checks that the proxies of the environment variables can be used.

    Raises:
        ConfigError: The HTTP library does not know the form of a proxy's URL.
    """
    if names := proxy_variables():
        import httpx

        try:
            httpx.Client().close()
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise ConfigError(
                f"A proxy in the environment cannot be used ({listed(names)}): its URL must begin "
                "with http://, https://, socks5:// or socks5h://. Correct or unset it."
            ) from error


def _name_unknown_user() -> None:
    """Sets a user name and a home folder if the user id has none, as in some containers.

    DVC, MLflow and others need them and would fail with a traceback.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        if not any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
            os.environ["LOGNAME"] = os.environ["USER"] = f"uid{os.getuid()}"
        if not os.access(os.environ.get("HOME", ""), os.W_OK | os.X_OK):
            os.environ["HOME"] = tempfile.mkdtemp(prefix="autorec-home-")
            atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)


def _move_mlflow_password() -> None:
    name = "MLFLOW_TRACKING_URI"
    parts = _parts(os.environ.get(name, ""))
    if parts and parts.scheme in ("http", "https") and "@" in parts.netloc:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
        os.environ[name] = without_password(os.environ[name])
