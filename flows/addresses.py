"""SQLAlchemy URLs of SQLite files, for paths that may contain any character."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

STORE = "mlflow.db"
"""The workspace's own MLflow store, a SQLite file. Used if MLFLOW_TRACKING_URI is not set."""
ARTIFACTS = "mlartifacts"
"""The folder with the artifacts of that store."""


def sqlite_address(database: Path, driver: str = "pysqlite") -> str:
    """Returns the URL of a SQLite file for SQLAlchemy.

    SQLAlchemy reads everything after the first "?" as a query. A path with a "?" is therefore
    encoded in SQLite's own URL form. That form must name the driver: otherwise MLflow would create
    a folder with the encoded name.

    Args:
        database: The file.
        driver: SQLAlchemy's name for the driver.
    """
    path = database.absolute().as_posix()
    if "?" in path:
        return f"sqlite+{driver}:///file:{quote(path)}?uri=true"
    plain = "sqlite" if driver == "pysqlite" else f"sqlite+{driver}"
    return f"{plain}:///{path}"


def sqlite_file(address: str) -> Path | None:
    """Returns the file that an SQLAlchemy URL names, or None if it names no SQLite file."""
    dialect, _, rest = address.partition(":///")
    path, _, query = rest.partition("?")
    if dialect.partition("+")[0] != "sqlite" or not path:
        return None
    if path.startswith("file:") and parse_qs(query).get("uri") == ["true"]:
        path = unquote(path.removeprefix("file:"))
    return Path(path)
