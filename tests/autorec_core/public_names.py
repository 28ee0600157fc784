"""Writes `autorec_core/__init__.pyi`, which tells type checkers the package's names.

The package finds its blocks by looking into folders, which no type checker does. `make format` runs
this, so that a new block is still one new file.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import autorec_core

STUB = Path(autorec_core.__file__).with_suffix(".pyi")


def stub() -> str:
    """The text of the stub: every public name, imported from the module that defines it."""
    homes = defaultdict(list)
    for name in dir(autorec_core):
        home = getattr(autorec_core, name).__module__
        if home.startswith("autorec_core."):  # not the blocks of users of the package
            homes[home].append(name)
    lines = [
        f"from {module} import {name} as {name}"
        for module, names in sorted(homes.items())
        for name in sorted(names)
    ]
    title = '"""The public names of the library; written by `make format`."""'
    return "\n".join([title, "", "# ruff: noqa: E501, I001", "# fmt: off", *lines, ""])


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
