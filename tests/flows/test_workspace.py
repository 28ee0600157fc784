"""A workspace that cannot be written is said to be so before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autorec_core.errors import ConfigError
from flows.workspace import check_writable


@pytest.fixture
def workspace(tmp_path) -> Path:
    for name in (".dvc", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "mlflow.lock").touch()
    return tmp_path


def test_a_writable_workspace_is_no_error(workspace):
    check_writable(workspace)


@pytest.mark.parametrize("place", [".", ".dvc", "data", "mlflow.lock"])
@pytest.mark.parametrize(
    ("user", "remedy"), [(10001, "AUTOREC_UID={owner}"), (None, "its permissions")]
)
def test_a_path_that_cannot_be_written_is_named_with_the_remedy(
    workspace, monkeypatch, place, user, remedy
):
    refused, owner = workspace / place, (4242 if user else os.getuid())
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != refused)
    if user:
        monkeypatch.setattr(os, "getuid", lambda: user)
        found = type("Found", (), {"st_uid": owner})
        real = Path.stat
        monkeypatch.setattr(
            Path, "stat", lambda path, **how: found if path == refused else real(path, **how)
        )
        monkeypatch.setattr(Path, "is_dir", lambda path: path != workspace / "mlflow.lock")
        monkeypatch.setattr(Path, "exists", lambda path: True)

    with pytest.raises(ConfigError) as caught:
        check_writable(workspace)

    assert str(refused.resolve()) in str(caught.value)
    assert remedy.format(owner=owner) in str(caught.value)
