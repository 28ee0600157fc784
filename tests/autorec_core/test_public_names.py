"""Type checkers and editors know every public name of the library."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files

import pytest
from project import ROOT
from public_names import STUB, stub


def test_the_stub_lists_every_public_name():
    assert STUB.read_text(encoding="utf-8") == stub(), "`make format` writes it"


def test_the_package_says_that_it_is_typed():
    assert files("autorec_core").joinpath("py.typed").is_file()


@pytest.mark.slow
def test_a_type_checker_finds_a_wrong_argument_of_a_public_block(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from autorec_core import MLPInteraction, Scorer\n"
        "MLPInteraction(dropout_rate='much')\n"
        "Scorer.load(3)\n",
        encoding="utf-8",
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "program.py:3" in checked.stdout, checked.stdout + checked.stderr
