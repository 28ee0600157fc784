"""The installation that is broken: a small workspace, its commands, and its right results."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pages import surroundings
from team import make_small, write_ratings
from workspaces import make_workspace

DATASET = "tiny"
MARK = "AUTOREC_CHAOS"
"""A variable of the environment that every process of a command inherits."""
LONGEST_SECONDS = 900.0
BUILT = ("raw", "checks", "prepared", "search", "model", "evaluation")
ROWS = "user_id,item_id\n1,2\n3,4\n59,29\n0,0\n17,21\n"


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Args:
        code: Its exit code; negative if a signal killed it.
        output: What it printed.
        seconds: Wall time.
    """

    code: int
    output: str
    seconds: float

    @property
    def message(self) -> str:
        """Its last line that says something, for the report."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("Error")]
        return (errors or lines or [""])[-1][:300]


class Command:
    """A running command of the installation, with all processes that it starts.

    Args:
        process: Its process, the leader of its own group.
        mark: The value of `MARK` in the environment of all its processes.
        log: The file that it prints to.
    """

    def __init__(self, process: subprocess.Popen[bytes], mark: str, log: Path) -> None:
        self.process, self.mark, self.log = process, mark, log
        self._began = time.monotonic()

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[psutil.Process]:
        """All its living processes."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(MARK) == self.mark:
                    found.append(process)
        return found

    def wait_for(self, text: str, seconds: float = LONGEST_SECONDS) -> bool:
        """Waits until it has printed a text. Returns False if it ended before that."""
        deadline = time.monotonic() + seconds
        while text not in self.output():
            if self.process.poll() is not None or time.monotonic() > deadline:
                return text in self.output()
            time.sleep(0.05)
        return True

    def send(self, number: signal.Signals, *, group: bool = True) -> None:
        """Sends a signal to its process, or to the whole group."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.process.pid, number)

    def end(self, seconds: float = LONGEST_SECONDS) -> Ended:
        """Waits for its end. A command that takes longer is killed, with the exit code -9."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.process.wait()
            code = -signal.SIGKILL
            self.log.write_text(f"{self.output()}\nNo end after {seconds:.0f} seconds.\n")
        return Ended(code, self.output(), time.monotonic() - self._began)

    def left(self, seconds: float = 5) -> list[str]:
        """The processes that still live some seconds after the end."""
        deadline = time.monotonic() + seconds
        while (living := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [" ".join(process.cmdline()[:6]) for process in living if process.is_running()]

    def clear(self) -> None:
        """Kills all of its processes that are left."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()


class Installation:
    """A workspace in which runs are broken, and the results of an undisturbed run.

    Args:
        folder: An empty folder for the workspace, its copy and its logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "workspace"
        self.temporary = folder / "tmp"
        self.logs = folder / "logs"
        for made in (self.root, self.temporary, self.logs):
            made.mkdir(parents=True)
        make_workspace(self.root, _edit)
        write_ratings(self.root / "data" / "incoming" / DATASET / "rows.tsv")
        self.rows = folder / "rows.csv"
        self.rows.write_text(ROWS, encoding="utf-8")

    def build(self) -> None:
        """Runs the pipeline undisturbed, and remembers what it gives.

        Raises:
            RuntimeError: Even this run fails, so there is nothing to break.
        """
        ended = self.run()
        if ended.code:
            raise RuntimeError(f"The undisturbed run failed:\n{ended.output}")
        self.metrics = self.metrics_file.read_text(encoding="utf-8")
        self.scores = self.score()
        self.size = self.disk()

    @property
    def metrics_file(self) -> Path:
        """The test figures of the last run."""
        return self.root / "data" / "evaluation" / DATASET / "metrics.json"

    def start(self, *words: str, environment: Mapping[str, str] | None = None) -> Command:
        """Starts a command `autorec ...` in the workspace."""
        mark = uuid.uuid4().hex
        log = self.logs / f"{mark}.txt"
        given = {
            **surroundings(self.root),
            "TMPDIR": str(self.temporary),
            MARK: mark,
            **(environment or {}),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", *words],
                cwd=self.root,
                env=given,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Command(process, mark, log)

    @contextmanager
    def started(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[Command]:
        """Starts a command, and kills what is left of it at the end of the block."""
        command = self.start(*words, environment=environment)
        try:
            yield command
        finally:
            command.clear()
            command.process.wait()

    def run(self, environment: Mapping[str, str] | None = None) -> Ended:
        """Runs the pipeline to its end."""
        return self.finish("run", DATASET, environment=environment)

    def finish(self, *words: str, environment: Mapping[str, str] | None = None) -> Ended:
        """Runs a command to its end."""
        with self.started(*words, environment=environment) as command:
            return command.end()

    def score(self) -> str:
        """What the live model says of five rows; an error's message if it says nothing."""
        output = self.folder / "scores.csv"
        output.unlink(missing_ok=True)
        ended = self.finish("score", DATASET, "--input", str(self.rows), "--output", str(output))
        return output.read_text(encoding="utf-8") if ended.code == 0 else ended.message

    def forget(self) -> None:
        """Removes what was built, so that the next run has to build all of it again."""
        for name in BUILT:
            shutil.rmtree(self.root / "data" / name / DATASET, ignore_errors=True)
        shutil.rmtree(self.root / ".dvc" / "cache", ignore_errors=True)
        (self.root / "dvc.lock").unlink(missing_ok=True)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Puts the workspace back as it was before the block."""
        before = self.folder / "before"
        shutil.copytree(self.root, before, symlinks=True)
        try:
            yield
        finally:
            shutil.rmtree(self.root)
            before.rename(self.root)

    def disk(self) -> int:
        """Bytes of everything in the workspace that should not grow when a run is repeated.

        The databases of Prefect and MLflow hold the history of runs, so they are not counted.
        """
        counted = ("data", ".dvc/cache", "reports", "mlartifacts")
        return sum(
            file.stat().st_size
            for name in counted
            for file in (self.root / name).rglob("*")
            if file.is_file() and not file.is_symlink()
        )


def _edit(params: dict[str, Any]) -> None:
    make_small(params, DATASET)
    params["search"] |= {"workers": 2}  # trials in processes of their own
    params["pipeline"] |= {"retrain": "search"}  # as the undisturbed run, also with a champion
    params["pipeline"] |= {"on_busy": "wait"}
