"""How a stage reports an error to its caller: marked lines on stderr and an exit code."""

from __future__ import annotations

ERROR_MARK = "Error: "
"""Start of each line of a stage's error message, by which the caller finds it."""
UNREACHABLE_CODE = 75
"""Exit code of a stage if a server did not answer (EX_TEMPFAIL in sysexits.h)."""


def print_warnings(warnings: list[str]) -> None:
    """Prints the warnings of data checks."""
    for warning in warnings:
        print(f"Warning: {warning}")
