"""The code blocks of README and documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from project import ROOT

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
    """Runs a block as a reader would; gives what it prints."""
    python = [sys.executable, "-c", block.text]
    bash = ["bash", "-euo", "pipefail", "-c", block.text]
    return run(python if block.language == "python" else bash, folder, surroundings(folder))


def surroundings(workspace: Path) -> dict[str, str]:
    """The environment of a user of the workspace: our programs first, a Prefect of its own."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PREFECT_HOME": str(workspace / ".prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "COLUMNS": "160",
    }
    of_others = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MAKEFLAGS", "MAKELEVEL")
    for name in of_others:  # the tests are started by `make` themselves
        environment.pop(name, None)
    return environment


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What a command prints that ends well.

    Args:
        command: The program and its arguments.
        folder: Where it is run.
        environment: As `surroundings` gives it.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def name(page: Path) -> str:
    """How tests call a page."""
    return page.relative_to(ROOT).as_posix()
