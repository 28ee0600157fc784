"""What `make` does in a clone that has been moved."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from project import ROOT


@pytest.mark.parametrize(
    ("made_in", "installs"), [("here", False), ("/elsewhere/a b#", True), ("", False)]
)
def test_a_moved_clone_gets_its_programs_again(made_in, installs, tmp_path):
    clone = tmp_path / "a clone #1 größe"
    clone.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, clone / name)
    (clone / ".venv").mkdir()
    place = str(clone.resolve()) if made_in == "here" else made_in
    (clone / ".venv" / ".installed").write_text(place, encoding="utf-8")

    said = subprocess.run(
        ["make", "-n", "run"], cwd=clone, capture_output=True, text=True, check=True
    ).stdout

    assert ("uv pip sync" in said) == installs
    assert "autorec run" in said
