"""Paths of all files and folders in the workspace. dvc.yaml contains the same paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autorec_core.errors import ConfigError

_WRITTEN = (".", ".autorec", ".dvc", ".dvc/tmp", ".dvc/cache", "data", "reports", "mlartifacts")
_WRITTEN_FILES = ("dvc.lock", "mlflow.db", "mlflow.lock")


@dataclass(frozen=True)
class Places:
    """The paths of one data set.

    Args:
        dataset: The data set's name.
        root: The workspace: the folder that holds dvc.yaml.
    """

    dataset: str
    root: Path = Path()

    @property
    def raw(self) -> Path:
        """The folder of the raw file."""
        return self.root / "data" / "raw" / self.dataset

    @property
    def checks(self) -> Path:
        """The folder of the data checks' results."""
        return self.root / "data" / "checks" / self.dataset

    @property
    def prepared(self) -> Path:
        """The folder of the encoded splits and the preprocessor."""
        return self.root / "data" / "prepared" / self.dataset

    @property
    def plan(self) -> Path:
        """The folder of the plan: in which mode the search stage trains, and why."""
        return self.root / "data" / "plan" / self.dataset

    @property
    def search(self) -> Path:
        """The folder of the search: winner, metrics, and the trials while it runs."""
        return self.root / "data" / "search" / self.dataset

    @property
    def model(self) -> Path:
        """The folder of the scorer: preprocessing and model together."""
        return self.root / "data" / "model" / self.dataset

    @property
    def evaluation(self) -> Path:
        """The folder of the test metrics."""
        return self.root / "data" / "evaluation" / self.dataset

    @property
    def reports(self) -> Path:
        """The folder of the data checks' pages."""
        return self.root / "reports" / "checks" / self.dataset

    @property
    def profile(self) -> Path:
        """The folder of the profile's page."""
        return self.root / "reports" / "profile" / self.dataset

    @property
    def report(self) -> Path:
        """The report page of the last run."""
        return self.root / "reports" / "run" / self.dataset / "index.html"

    @property
    def watch(self) -> Path:
        """The folder of the watch: counts of what the live model scored, and of later labels."""
        return self.root / "data" / "watch" / self.dataset

    @property
    def watch_page(self) -> Path:
        """The page of the last watch."""
        return self.root / "reports" / "watch" / self.dataset / "index.html"

    @property
    def decision(self) -> Path:
        """The file with the gate's last decision on a model of this workspace."""
        return self.root / "reports" / "gate" / f"{self.dataset}.json"


def check_writable(root: Path) -> None:
    """Checks that a run can write all files and folders that it needs.

    Raises:
        ConfigError: A path cannot be written. The message names its owner and the remedy.
    """
    for place in _unwritable(root):
        owner = place.stat().st_uid
        remedy = "change its permissions, or make the disk writable"
        if owner != os.getuid():
            remedy = f"`chown -R {os.getuid()}` the workspace"
            if owner != 0:  # containers never run as root
                remedy += f", or in containers set AUTOREC_UID={owner}"
        raise ConfigError(
            f"User id {os.getuid()} cannot write {place.resolve()}, which belongs to user id "
            f"{owner}: {remedy}."
        )


def _unwritable(root: Path) -> Iterator[Path]:
    for name in _WRITTEN:
        if (root / name).is_dir() and not os.access(root / name, os.W_OK | os.X_OK):
            yield root / name
    for name in _WRITTEN_FILES:
        if (root / name).exists() and not os.access(root / name, os.W_OK):
            yield root / name
