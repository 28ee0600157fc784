"""The code blocks of README and documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(^|\s)#.*")


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


def shown_commands() -> list[str]:
    """The commands of all console blocks, without the comments behind them."""
    text = "\n".join(
        block.text for page in pages() for block in blocks(page) if block.language == "console"
    )
    lines = (COMMENT.sub("", line).strip() for line in text.replace("\\\n", " ").splitlines())
    return sorted({" ".join(line.split()) for line in lines} - {""})


def run_block(block: CodeBlock, folder: Path) -> str:
    """Runs a block as a reader would, with this Python first on PATH; gives what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python = [sys.executable, "-c", block.text]
    done = subprocess.run(
        python if block.language == "python" else ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env={
            **os.environ,
            "PATH": path,
            "PREFECT_HOME": str(folder / ".prefect"),
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def name(page: Path) -> str:
    """How tests call a page."""
    return page.relative_to(ROOT).as_posix()
