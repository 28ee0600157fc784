"""Builds stages of dvc.yaml through a DVC process. Flows and commands build only through this."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from autorec_core.errors import AutoRecError, UnreachableError
from flows.orchestration.dvc_worker import ANSWER_MARK
from flows.stages.messages import ERROR_MARK, UNREACHABLE_CODE

GRACE_SECONDS = 10.0


class StageError(AutoRecError):
    """A stage of the pipeline failed. The message is that of the stage."""


class Builder:
    """Runs DVC in a separate process, which loads DVC once for all stages of a run.

    The DVC process leads its own session. On an interrupt it asks its stage to end. If this process
    ends or is killed, the DVC process and its stages end too.

    Args:
        root: The workspace.
        busy_wait: Maximum seconds to wait while another process builds the same stage.
    """

    def __init__(self, root: Path, *, busy_wait: float = 600.0) -> None:
        self._root = root
        self._busy_wait = busy_wait
        self._process: subprocess.Popen[str] | None = None
        self._logged = self._working = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def start(self, *, logged: bool) -> None:
        """Starts the DVC process, which loads DVC in the background.

        Args:
            logged: Whether `build` will be called with a `log`. If True, all output of the stages
                comes to this process.
        """
        if self._process is not None and self._process.poll() is None and logged == self._logged:
            return
        self._stop()
        self._logged = logged
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.orchestration.dvc_worker"],
            cwd=self._root,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if logged else None,
            stderr=subprocess.STDOUT if logged else subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def build(
        self,
        stage: str,
        dataset: str,
        *,
        force: bool = False,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Builds one stage of a data set and all stages before it, as `dvc repro` does.

        Args:
            stage: Name of a stage in dvc.yaml.
            dataset: A data set of `pipeline.datasets`.
            force: Run this stage even if nothing has changed, and no stage before it.
            log: Called with each line that the stages print. If None, they print to this terminal
                and can show progress bars.

        Raises:
            StageError: The stage, or a stage before it, failed.
            UnreachableError: The stage failed because a server did not answer.
        """
        target = f"{stage}@{dataset}"
        request = {"action": "build", "target": target, "force": force}
        deadline = time.monotonic() + self._busy_wait
        while True:
            answer, lines = self._ask(request, log)
            if answer["ok"]:
                return
            if not answer["busy"] or time.monotonic() > deadline:
                raise _failure(answer, lines, target)
            time.sleep(2)

    def is_current(self, stage: str, dataset: str, *, logged: bool) -> bool:
        """Returns whether a stage was last built with the current data, parameters and code.

        Args:
            stage: Name of a stage in dvc.yaml.
            dataset: A data set of `pipeline.datasets`.
            logged: Whether `build` is called with a `log`.
        """
        request = {"action": "compare", "target": f"{stage}@{dataset}"}
        answer, _ = self._ask(request, (lambda _: None) if logged else None)
        return bool(answer["ok"] and answer["same"])

    def _ask(
        self, request: dict[str, Any], log: Callable[[str], None] | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Sends a request. Returns the answer and the last 200 lines printed before it."""
        self.start(logged=log is not None)
        process = self._process
        assert process is not None
        assert process.stdin is not None
        kept: deque[str] = deque(maxlen=200)
        self._working = True
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            for line in map(str.rstrip, _output(process)):
                if line.startswith(ANSWER_MARK):
                    self._working = False
                    return json.loads(line.removeprefix(ANSWER_MARK)), list(kept)
                kept.append(line)
                if log and line:
                    log(line)
        except BrokenPipeError:
            pass
        except BaseException:
            self._stop()
            raise
        code = process.wait()
        _kill_group(process)  # a stage may still be running
        self._working = False
        reason = f"DVC's process ended with code {code}: {kept[-1] if kept else 'no output'}"
        return {"ok": False, "busy": False, "reason": reason}, list(kept)

    def _stop(self) -> None:
        """Ends the process. Asks a running stage to end first."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        if self._working:
            process.terminate()
        else:
            process.stdin.close()
        self._working = False
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _kill_group(process: subprocess.Popen[str]) -> None:
    """Kills all remaining processes of the session that this process leads or led."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _output(process: subprocess.Popen[str]) -> IO[str]:
    stream = process.stdout or process.stderr
    assert stream is not None
    return stream


def _failure(answer: dict[str, Any], lines: list[str], target: str) -> AutoRecError:
    """Returns the error that the failed stage printed, without DVC's own message."""
    errors = [line.removeprefix(ERROR_MARK) for line in lines if line.startswith(ERROR_MARK)]
    message = "\n".join(errors)
    if f"exited with {UNREACHABLE_CODE}" in answer["reason"]:
        return UnreachableError(message)
    return StageError(message or f"{target}: {answer['reason']}.")
