"""Runs stages of dvc.yaml: the one way flows and commands build data sets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from autorec_core.errors import AutoRecError, UnreachableError

BUSY_CODE = 255
BUSY_TEXT = "is busy"
DVC_ADVICE = re.compile(
    r"Use `dvc push`|To track the changes with git|\tgit add|To enable auto staging"
    r"|\tdvc config core\.autostage|Updating lock file"
)
ERROR_MARK = "Error: "
"""What a stage puts before each line of its last word, so that whoever ran it can repeat it."""
UNREACHABLE_CODE = 75
"""How a stage ends when something outside did not answer (sysexits' EX_TEMPFAIL)."""


class StageError(AutoRecError):
    """A stage of the pipeline failed; the message is what the stage itself said."""


def reproduce(
    stage: str,
    dataset: str,
    *,
    root: Path,
    log: Callable[[str], None] | None = None,
    busy_wait: float = 600.0,
) -> None:
    """Brings one stage of one data set, and all before it, up to date with `dvc repro`.

    Args:
        stage: A stage's name in dvc.yaml.
        dataset: A data set of `pipeline.datasets`.
        root: The workspace.
        log: Receives each line the stages print; without it they print to this terminal.
        busy_wait: Seconds to wait while another process is building the same stage.

    Raises:
        StageError: The stage, or one before it, failed.
        UnreachableError: It failed because something outside did not answer.
    """
    command = [sys.executable, "-m", "dvc", "repro", f"{stage}@{dataset}"]
    deadline = time.monotonic() + busy_wait
    while True:
        code, said = _run(command, root, log)
        if code == 0:
            return
        if code != BUSY_CODE or BUSY_TEXT not in said or time.monotonic() > deadline:
            raise _failure(said, f"`dvc repro {stage}@{dataset}` ended with code {code}.")
        time.sleep(2)


def _run(command: list[str], root: Path, log: Callable[[str], None] | None) -> tuple[int, str]:
    """Runs a command; with `log`, line by line through it. Returns its code and last lines.

    Without `log`, stdout stays this terminal, so that a stage can draw its progress there.
    """
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE if log else None,
        stderr=subprocess.STDOUT if log else subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    kept: deque[str] = deque(maxlen=200)
    stream = process.stdout if log else process.stderr
    assert stream is not None
    try:
        for line in map(str.rstrip, stream):
            kept.append(line)
            if log and line and not DVC_ADVICE.match(line):
                log(line)
        return process.wait(), "\n".join(kept)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _failure(said: str, otherwise: str) -> AutoRecError:
    """The error that a failed stage itself told of, without what DVC says about it."""
    lines = [line for line in said.splitlines() if line.startswith(ERROR_MARK)]
    message = "\n".join(line.removeprefix(ERROR_MARK) for line in lines) or otherwise
    if f"exited with {UNREACHABLE_CODE}" in said:
        return UnreachableError(message)
    return StageError(message)
