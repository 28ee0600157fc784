"""The workspace's own MLflow store: a SQLite file and a folder of artifacts next to it.

MLflow stores the locations of artifacts as absolute URLs. These are wrong after the workspace was
moved or copied, so they are corrected before the store is used.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from autorec_core.errors import DataError, listed
from flows.addresses import ARTIFACTS, STORE, sqlite_address

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's store that hold URLs of artifacts."""


def prepare_store(root: Path) -> Path:
    """Creates the workspace's store, or corrects its URLs if the workspace was moved.

    Args:
        root: The workspace.

    Returns:
        The SQLite file.
    """
    database = (root / STORE).resolve()
    with _locked(database):
        if _has_tables(database):
            _correct(database)
        else:
            _create(database)
    return database


def correct_places(root: Path) -> int:
    """Corrects the artifact URLs in the workspace's store if the workspace was moved.

    Args:
        root: The workspace.

    Returns:
        Number of URLs that were wrong.
    """
    database = (root / STORE).resolve()
    if not database.exists():
        return 0
    with _locked(database):
        return _correct(database) if _has_tables(database) else 0


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Holds the store's lock, since two processes that create tables at once would break it."""
    lock = database.with_suffix(".lock")
    try:
        file = lock.open("w")
    except OSError as error:
        raise DataError(f"{lock} cannot be written: {error.strerror or error}.") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _has_tables(database: Path) -> bool:
    if not database.exists():
        return False
    with closing(sqlite3.connect(database)) as connection:
        query = "select count(*) from sqlite_master where name = 'alembic_version'"
        return bool(connection.execute(query).fetchone()[0])


def _create(database: Path) -> None:
    import sqlalchemy
    from mlflow.store.db.utils import _initialize_tables

    _initialize_tables(sqlalchemy.create_engine(sqlite_address(database)))


def _correct(database: Path) -> int:
    here = database.with_name(ARTIFACTS)
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        former = _former_places(connection, here)
        try:
            with connection:
                return sum(
                    _replace(connection, table, column, old, here.as_uri())
                    for old in former
                    for table, column in PLACES
                )
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{database} expects its artifacts at {listed(former)}. They are at {here}, "
                f"but the file cannot be corrected: {error}."
            ) from error


def _former_places(connection: sqlite3.Connection, here: Path) -> list[str]:
    """Returns the URLs of the artifact folders that this store used before it was moved here.

    An artifact folder that a user put elsewhere on purpose is not among them: it still exists, and
    there is no folder of the same name here.
    """
    try:
        experiments = connection.execute("select name, artifact_location from experiments")
        rows = experiments.fetchall()
    except sqlite3.OperationalError:  # not an MLflow store
        return []
    found: dict[str, None] = {}
    for name, location in rows:
        folder, _, last = (location or "").rpartition("/")
        if not folder.startswith("file:") or folder == here.as_uri() or unquote(last) != name:
            continue
        former = Path(unquote(urlsplit(folder).path))
        if former.name != ARTIFACTS or former == here:
            continue
        if (here / name).is_dir() or not (former / name).is_dir():
            found[folder] = None
    return list(found)


def _replace(connection: sqlite3.Connection, table: str, column: str, old: str, new: str) -> int:
    """Replaces the start of the URLs in a column. Returns the number of changed rows."""
    # Safe from SQL injection: the names come from `PLACES`, and the values are bound.
    changed = connection.execute(
        f"update {table} set {column} = ? || substr({column}, ?) where substr({column}, 1, ?) = ?",
        (new, len(old) + 1, len(old) + 1, f"{old}/"),
    )
    return changed.rowcount
