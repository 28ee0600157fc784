"""Addresses of local files, for paths with any character in them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote, unquote


def sqlite_address(database: Path, driver: str = "pysqlite") -> str:
    """The address of a SQLite file, as SQLAlchemy reads it.

    Everything from the first "?" on is a query to SQLAlchemy, so a path with one has to be given
    as SQLite's own kind of address, where it can be encoded. That kind names its driver, since
    MLflow would otherwise take the encoded path for a folder to be made.

    Args:
        database: The file.
        driver: SQLAlchemy's name of the driver.
    """
    path = database.absolute().as_posix()
    if "?" in path:
        return f"sqlite+{driver}:///file:{quote(path)}?uri=true"
    plain = "sqlite" if driver == "pysqlite" else f"sqlite+{driver}"
    return f"{plain}:///{path}"


def sqlite_file(address: str) -> Path | None:
    """The file that an address of SQLAlchemy names; None where it is no SQLite file."""
    dialect, _, rest = address.partition(":///")
    path, _, query = rest.partition("?")
    if dialect.partition("+")[0] != "sqlite" or not path:
        return None
    if path.startswith("file:") and parse_qs(query).get("uri") == ["true"]:
        path = unquote(path.removeprefix("file:"))
    return Path(path)
