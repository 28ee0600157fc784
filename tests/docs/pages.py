"""The code blocks of README and documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block of a page."""

    language: str
    file: str
    text: str


def pages() -> list[Path]:
    """README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[CodeBlock]:
    """A page's code blocks, in order."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [CodeBlock(language, file, text) for language, file, text in found]


def name(page: Path) -> str:
    """How tests call a page."""
    return page.relative_to(ROOT).as_posix()
