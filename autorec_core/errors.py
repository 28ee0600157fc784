"""The errors that AutoRec raises on purpose.

Each message says what was found, where, and what is allowed. Any other error is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable


class AutoRecError(Exception):
    """An error that the user can fix. The program prints its message and ends."""


class ConfigError(AutoRecError):
    """A key or value of params.yaml, or an argument in its place, is not allowed."""


class DataError(AutoRecError):
    """A data file is missing or damaged, or differs from its data set's entry."""


class BlockError(AutoRecError, ValueError):
    """A block cannot work with a setting or an input."""


class SearchError(AutoRecError):
    """A search cannot go on, for instance because too many trials in a row have failed."""


class UnreachableError(AutoRecError):
    """A data source or a server did not answer. A retry may help."""


def listed(names: Iterable[object]) -> str:
    """Returns names as text for a message: sorted, with commas between; "none" if empty."""
    return ", ".join(sorted(map(str, names))) or "none"
