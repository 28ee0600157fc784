"""Where this project lies, for tests in whatever folder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
PARAMS_FILE = ROOT / "params.yaml"
