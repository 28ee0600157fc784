"""Finds the files of a raw path: a file, a folder of Parquet files, or a pattern."""

from __future__ import annotations

from pathlib import Path

from autorec_core.errors import DataError


def is_parquet(file: Path) -> bool:
    """Returns whether a file's first bytes are those of a Parquet file."""
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"


def raw_files(path: Path) -> list[Path]:
    """Returns the files of a raw path: a file, a folder of Parquet files, or a pattern.

    Raises:
        DataError: There are no such files.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        return folder_files(path)
    files = sorted(file for file in path.parent.glob(path.name) if file.is_file())
    if not files:
        raise DataError(f"{path} cannot be read: no such file.")
    return files


def raw_names(path: Path, called: str) -> dict[str, Path]:
    """Returns the files of a raw path, by their paths in a data set's folder of raw files.

    Args:
        path: See `raw_files`.
        called: The name of the raw file, or of the folder of raw files, in that folder.

    Raises:
        DataError: There are no such files.
    """
    files = raw_files(path)
    if files == [path]:
        return {called: path}
    if path.is_dir():
        return {f"{called}/{file.relative_to(path).as_posix()}": file for file in files}
    return {file.name: file for file in files}


def folder_files(folder: Path) -> list[Path]:
    """Returns the Parquet files of a folder and its subfolders, sorted.

    Names that begin with a dot or an underscore are left out, because Spark and Hive keep metadata
    there.

    Raises:
        DataError: There are no such files.
    """
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(part[0] in "._" for part in file.relative_to(folder).parts)
        and is_parquet(file)
    ]
    if not files:
        raise DataError(
            f"{folder} is a folder without Parquet files. Name a file, or a pattern for several, "
            f"such as '{folder}/*.csv'."
        )
    return files


def table_folder(raw: Path, name: str) -> Path:
    """Returns the folder of a side table's file in a data set's folder of raw files."""
    return raw / "tables" / name
