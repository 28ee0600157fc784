"""How a stage tells whoever ran it what went wrong: marked lines on stderr and an exit code."""

from __future__ import annotations

ERROR_MARK = "Error: "
"""What a stage puts before each line of its last word, so that whoever ran it can repeat it."""
UNREACHABLE_CODE = 75
"""How a stage ends when something outside did not answer (sysexits' EX_TEMPFAIL)."""


def print_warnings(warnings: list[str]) -> None:
    """Prints what the checks found that stops nothing."""
    for warning in warnings:
        print(f"Warning: {warning}")
