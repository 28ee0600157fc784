"""Who may import what around the core; inside it, import-linter watches."""

from __future__ import annotations

import ast
from pathlib import Path

from project import ROOT

FLOWS = ROOT / "flows"


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def test_mlflow_is_known_to_tracking_and_the_registry_alone():
    users = {path.relative_to(FLOWS) for path in FLOWS.rglob("*.py") if "mlflow" in imported(path)}

    assert Path("tracking/mlflow_runs.py") in users
    rooms = ("tracking", "registry")
    strangers = {path for path in users if path.parts[0] not in rooms}
    # A registered model on its own, and the store's file, which servers and doctor need too.
    assert strangers == {Path("processes/model_process.py"), Path("processes/mlflow_store.py")}


def test_nothing_reads_or_writes_pickles():
    loaders = {"pickle", "cloudpickle", "joblib", "dill", "shelve"}

    for folder in (FLOWS, FLOWS.parent / "autorec_core"):
        for path in folder.rglob("*.py"):
            assert not imported(path) & loaders, path
