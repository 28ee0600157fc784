"""The folder of this project, for tests in any folder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
PARAMS_FILE = ROOT / "params.yaml"
