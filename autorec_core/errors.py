"""The few kinds of error AutoRec raises on purpose; each message is written for the reader.

A message says what was found, where, and what is allowed. Anything else that escapes is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable


class AutoRecError(Exception):
    """Something the user can mend; its text is one clear sentence and the program's last word."""


class ConfigError(AutoRecError):
    """A key or value of params.yaml, or an argument that stands for one, is not allowed."""


class DataError(AutoRecError):
    """A data file is missing, damaged or not what its data set's entry says."""


class BlockError(AutoRecError, ValueError):
    """A block was given a setting or an input it cannot work with."""


class SearchError(AutoRecError):
    """A search cannot go on, for instance because too many trials in a row have failed."""


class UnreachableError(AutoRecError):
    """Something outside, a data source or a server, did not answer; trying again may help."""


def listed(names: Iterable[object]) -> str:
    """Names in a sentence: sorted and separated by commas; 'none' where there are none."""
    return ", ".join(sorted(map(str, names))) or "none"
