"""Every stage of dvc.yaml runs again when the code that makes its result has changed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from project import ROOT

from flows.stages.__main__ import STAGES

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
NO_PART_IN_A_RESULT = {
    "autorec_core/cluster.py": "the place of the work changes no result",
    "autorec_core/config.py": "DVC compares the values of params.yaml themselves",
    "autorec_core/errors.py": "a message",
    "autorec_core/files.py": "how files are written",
    "autorec_core/quiet.py": "output only",
    "autorec_core/raw_config.py": "DVC compares the values of params.yaml themselves",
    "flows/config.py": "DVC compares the values of params.yaml themselves",
    "flows/environment.py": "output, and URLs of servers",
    "flows/processes": "servers and locks",
    "flows/stages/messages.py": "output only",
    "flows/tracking": "logging to MLflow",
    "flows/workspace.py": "dvc.yaml contains the same paths",
}
"""Code that stages import and that cannot change what they write, with the reason."""
IMPORTED_BY_NAME = {
    "autorec_core/registration.py": ("optimizers.py", "recipe.py", "mappers/*", "interactors/*")
}
"""What a file imports by a name that it puts together."""


def file_of(module: str) -> Path | None:
    """The file of a module of this project; None for any other name."""
    place = ROOT / module.replace(".", "/")
    found = (place / "__init__.py", place.with_suffix(".py"))
    return next((path for path in found if path.is_file()), None)


def imports(path: Path) -> set[Path]:
    """The project's files that a file imports, at its top or inside a function."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    ours = (name for name in names if name.partition(".")[0] in ("flows", "autorec_core"))
    return {found for name in ours if (found := file_of(name)) is not None}


def code_of(stage: str) -> set[str]:
    """All files that a stage's module leads to, by their paths in the repository."""
    seen: set[Path] = set()
    waiting = [ROOT / "flows" / "stages" / f"{stage}.py"]
    while waiting:
        path = waiting.pop()
        relative = path.relative_to(ROOT).as_posix()
        if path not in seen and not covered(relative, NO_PART_IN_A_RESULT):
            seen.add(path)
            waiting += imports(path)
            for pattern in IMPORTED_BY_NAME.get(relative, ()):
                waiting += (ROOT / "autorec_core").glob(f"{pattern.removesuffix('.py')}.py")
    names = (path for path in seen if path.name != "__init__.py")
    return {path.relative_to(ROOT).as_posix() for path in names}


def covered(path: str, by: object) -> bool:
    """Whether a file is named, or lies in a folder that is named."""
    return any(path == one or path.startswith(f"{one}/") for one in by)  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_it_runs(stage):
    named = PIPELINE[stage]["do"]["deps"]

    assert sorted(path for path in code_of(stage) if not covered(path, named)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_code_that_it_does_not_run(stage):
    code = [one for one in PIPELINE[stage]["do"]["deps"] if not one.startswith("data/")]

    assert [one for one in code if not any(covered(path, [one]) for path in code_of(stage))] == []


def test_code_that_does_not_affect_results_exists():
    assert [path for path in NO_PART_IN_A_RESULT if not (ROOT / path).exists()] == []
