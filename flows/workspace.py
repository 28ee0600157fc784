"""Where each thing of a data set lies in the workspace; dvc.yaml names the same places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autorec_core.errors import ConfigError

_WRITTEN = (".", ".autorec", ".dvc", ".dvc/tmp", ".dvc/cache", "data", "reports", "mlartifacts")
_WRITTEN_FILES = ("dvc.lock", "mlflow.db", "mlflow.lock")

STORE = "mlflow.db"
"""The workspace's own MLflow store, a SQLite file, where no other is named."""
ARTIFACTS = "mlartifacts"
"""The folder beside it that holds the artifacts."""


@dataclass(frozen=True)
class Places:
    """The places of one data set.

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
        """The folder of the encoded splits and what encoded them."""
        return self.root / "data" / "prepared" / self.dataset

    @property
    def search(self) -> Path:
        """The folder of the search: its winner and figures, and its trials while it runs."""
        return self.root / "data" / "search" / self.dataset

    @property
    def model(self) -> Path:
        """The folder of the scorer: preprocessing and model as one thing."""
        return self.root / "data" / "model" / self.dataset

    @property
    def evaluation(self) -> Path:
        """The folder of the test figures."""
        return self.root / "data" / "evaluation" / self.dataset

    @property
    def reports(self) -> Path:
        """The folder of the pages of the data checks."""
        return self.root / "reports" / "checks" / self.dataset

    @property
    def profile(self) -> Path:
        """The folder of the profile's page."""
        return self.root / "reports" / "profile" / self.dataset

    @property
    def report(self) -> Path:
        """The page of the last run."""
        return self.root / "reports" / "run" / self.dataset / "index.html"

    @property
    def decision(self) -> Path:
        """The file of the registry's last decision on a model of this workspace."""
        return self.root / "reports" / "gate" / f"{self.dataset}.json"


def check_writable(root: Path) -> None:
    """Makes sure that a run can write where it has to in a workspace.

    Raises:
        ConfigError: A place cannot be written; says whose it is and what to do.
    """
    for place in _unwritable(root):
        owner = place.stat().st_uid
        remedy = "change its mode, or the disk's"
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
