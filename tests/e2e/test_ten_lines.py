"""The thesis' figure 5.2, as the README shows it, is a program that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_ten_lines_of_the_readme_run(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    script = tmp_path / "ten_lines.py"
    script.write_text(program, encoding="utf-8")

    answer = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert "hyper_interaction_1/interactor_type_0" in answer.stdout
    assert (tmp_path / "winner.keras").exists()
