"""A small workspace as a team has it: few ratings, short searches, ports that are free."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml
from pages import ROOT, run, shown_commands

MINE = "movielens-100k"
"""The entry of params.yaml that is made small."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(find: Callable[[], Any], what: str, seconds: float = 900) -> Any:
    """What `find` finds as soon as it finds something; gives up in the end."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


def make_small(params: dict[str, Any], dataset: str = MINE) -> None:
    """Edits params.yaml: one small data set of ratings, short searches, free ports."""
    entry = params["datasets"][MINE]
    entry |= {"title": "Tiny", "file": "rows.tsv", "sha256": None}
    entry["sources"] = [{"kind": "file", "path": f"data/incoming/{dataset}/rows.tsv"}]
    entry["facts"] |= {"min_rows": 100, "label_mean": [1.0, 5.0]}
    params["datasets"] = {dataset: entry}
    params["pipeline"] |= {"datasets": [dataset], "on_busy": "leave"}
    params["search"] |= {"max_trials": 2, "workers": 0}
    params["train"] |= {"epochs": 2, "refit": False}
    params["services"] |= {"prefect_port": free_port(), "mlflow_port": free_port()}
    params["serve"] |= {"port": free_port()}


def write_ratings(path: Path) -> None:
    """Twelve hundred ratings, as the raw file has them: enough test rows for the gate."""
    random = np.random.default_rng(1)
    pairs = random.choice(60 * 30 - 1, 1200, replace=False)
    ratings = 1 + pairs // 30 % 4 + pairs % 30 % 2  # what two epochs learn from so few rows
    lines = [f"{p // 30}\t{p % 30}\t{r}\t0\n" for p, r in zip(pairs, ratings, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def furnish(workspace: Path) -> None:
    """Adds what `make` needs: its file, and an environment that has just been installed."""
    for name in ("Makefile", "prefect.yaml", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, workspace / name)
    installed(workspace)


def installed(workspace: Path) -> None:
    """This Python's programs as a workspace's own; what `make` would install again is elsewhere."""
    (workspace / ".venv").mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (workspace / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    (workspace / ".venv" / ".installed").touch()


@dataclass(frozen=True)
class Shell:
    """Where somebody types the commands that README and documentation show.

    The line on the page is what runs; only what is not here (another machine's folder, a bucket) is
    replaced, and options that make it short are added behind it.

    Args:
        folder: A workspace.
        environment: As `surroundings` gives it.
    """

    folder: Path
    environment: Mapping[str, str]

    def types(self, line: str, *, also: str = "", instead: Mapping[str, str] | None = None) -> str:
        """What a shown command prints; it must end well."""
        return self.runs(self._here(line, also, instead))

    @contextlib.contextmanager
    def starts(self, line: str, *, instead: Mapping[str, str] | None = None) -> Iterator[None]:
        """Runs a shown command that works until it is interrupted."""
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._here(line, '', instead)}"],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            try:
                yield
                said.seek(0)
                assert "Traceback" not in said.read()
            finally:
                os.killpg(process.pid, signal.SIGINT)  # as the terminal does for Ctrl-C
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    raise

    def params(self) -> dict[str, Any]:
        """What params.yaml holds."""
        return yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))

    def runs(self, command: str) -> str:
        """What any other command prints; it must end well."""
        return run(["bash", "-c", command], self.folder, self.environment)

    def commit(self) -> None:
        """Commits everything."""
        person = "-c user.name=Test -c user.email=test@localhost"
        self.runs(f"git add --all ':!.prefect' && git {person} commit -qm Tried")

    def _here(self, line: str, also: str, instead: Mapping[str, str] | None) -> str:
        assert line in shown_commands()
        for shown, meant in (instead or {}).items():
            assert shown in line
            line = line.replace(shown, meant)
        return f"{line} {also}"


def answers(address: str) -> bool:
    """Whether a server answers there as it should."""
    try:
        return httpx.get(address, timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
