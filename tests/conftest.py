"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workspaces
from project import ROOT

from flows.environment import prepare_environment


def pytest_configure() -> None:
    prepare_environment()
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the slow modules first: begun last, one would keep a single tester busy at the end."""
    longest = ROOT / "tests" / "e2e"
    items.sort(
        key=lambda item: (longest not in item.path.parents, item.get_closest_marker("slow") is None)
    )


@pytest.fixture(scope="session")
def make_workspace(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Makes a workspace of its own: a git and DVC repository with this project's pipeline.

    The function it is called with edits the content of params.yaml.
    """

    def make(edit: Callable[[dict[str, Any]], None]) -> Path:
        return workspaces.make_workspace(tmp_path_factory.mktemp("workspace"), edit)

    return make
