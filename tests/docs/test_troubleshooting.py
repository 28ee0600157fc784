"""The messages on the page of errors exist in the code, word by word."""

from __future__ import annotations

import ast
import re

import pytest
from project import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
SHOWN = re.findall(
    r"`([^`]+)`",
    "\n".join(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("`")
    ),
)


@pytest.fixture(scope="module")
def said() -> str:
    """All text in the code, with neighbouring strings joined."""
    pieces = []
    for package in ("autorec_core", "flows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    pieces.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
                    pieces.append("".join(map(str, parts)))
    return "\n".join(pieces)


@pytest.mark.parametrize("message", SHOWN)
def test_a_message_on_the_page_is_one_of_the_codes(message, said):
    for part in filter(None, (part.strip(" .") for part in message.split("…"))):
        assert part in said, f"no message of the code has {part!r}"


def test_the_page_has_messages():
    assert len(SHOWN) > 15
