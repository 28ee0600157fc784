"""Builds a registered version again from its lineage alone, and holds the figures side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from autorec_core.errors import AutoRecError, DataError
from autorec_core.files import write_text
from flows.orchestration.dvc_client import StageError
from flows.processes import watchdog
from flows.registry.lineage import environment
from flows.registry.loading import fetched
from flows.registry.register import LINEAGE
from flows.registry.versions import get_version, model_name
from flows.repository import fault_of_git, git
from flows.workspace import Places

FIRST = "fetch"


@dataclass(frozen=True)
class Rebuilt:
    """A version's test figures, as registered and as built again.

    Args:
        recorded: By metric, as registered.
        found: By metric, of the model built again.
        differences: What is otherwise than when it was registered, such as a package.
    """

    recorded: Mapping[str, float]
    found: Mapping[str, float]
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every figure is the same to the last digit."""
        # A metric may be NaN, such as the AUC of a single label: that is the same NaN again.
        return {k: repr(v) for k, v in self.recorded.items()} == {
            k: repr(v) for k, v in self.found.items()
        }


def reproduce(dataset: str, number: int, root: Path = Path()) -> None:
    """Rebuilds a version and prints its figures beside those registered.

    Raises:
        ConfigError: There is no such version.
        DataError: Its commit or its raw data are not to be had, or its code was never committed.
        AutoRecError: A figure differs.
    """
    console = Console(highlight=False, markup=False)
    with fetched(get_version(dataset, number, root), root) as folder:
        document = json.loads((folder / "artifacts" / LINEAGE).read_text(encoding="utf-8"))
    console.print(
        f"Rebuilding version {number} of {model_name(dataset)} from commit "
        f"{document['git'].get('commit', '?')[:8]}; nothing made before is used but the raw file."
    )
    rebuilt = rebuild(document, root)
    table = Table(title=f"{model_name(dataset)}, version {number}", title_justify="left")
    for column in ("test", "registered", "rebuilt"):
        table.add_column(column, justify="left" if column == "test" else "right")
    for name, value in rebuilt.recorded.items():
        table.add_row(name.upper(), f"{value!r}", f"{rebuilt.found.get(name)!r}")
    console.print(table)
    for difference in rebuilt.differences:
        console.print(f"Otherwise than then: {difference}")
    if not rebuilt.equal:
        raise AutoRecError(f"Version {number} of {model_name(dataset)} came out differently.")
    console.print("Equal to the last digit.")


def rebuild(document: Mapping[str, Any], root: Path) -> Rebuilt:
    """Runs a version's pipeline again in a work tree of its commit.

    The raw file comes from the DVC cache; every later stage runs anew, without the cache of runs.

    Args:
        document: The version's lineage.
        root: A workspace whose git history and DVC cache hold commit and raw file.

    Raises:
        DataError: Commit or raw file are not to be had, or the code was never committed.
        StageError: A stage failed.
    """
    dataset, commit = document["dataset"], _commit(document)
    with _work_tree(root, commit) as tree:
        places = Places(dataset, tree)
        write_text(tree / "params.yaml", yaml.safe_dump(document["params"], sort_keys=False))
        fetched_stage = f"{FIRST}@{dataset}"
        lock = {"schema": "2.0", "stages": {fetched_stage: document["dvc_lock"][fetched_stage]}}
        write_text(tree / "dvc.lock", yaml.safe_dump(lock, sort_keys=False))
        _share_cache(root, tree)
        raw = f"data/raw/{dataset}"
        _dvc(tree, "checkout", raw, otherwise=f"The DVC cache lacks {raw} of that version.")
        _dvc(
            tree,
            *("repro", "--quiet", "--no-run-cache", f"evaluate@{dataset}"),
            otherwise="The pipeline did not come to its end.",
        )
        metrics = json.loads((places.evaluation / "metrics.json").read_text(encoding="utf-8"))
        recorded = document["metrics"]
        found = {name: metrics["model"].get(name) for name in recorded}
        return Rebuilt(recorded, found, tuple(_differences(document["environment"], tree)))


def _commit(document: Mapping[str, Any]) -> str:
    state = document["git"]
    if "commit" not in state:
        raise DataError("That version was made outside a git repository; its code is not known.")
    if state["dirty"]:
        raise DataError(
            f"That version was made with changes that commit {state['commit'][:8]} does not have; "
            "its code was never committed."
        )
    return state["commit"]


@contextmanager
def _work_tree(root: Path, commit: str) -> Iterator[Path]:
    """The workspace's folder as it was at a commit, beside the workspace; gone afterwards."""
    top = git(root, "rev-parse", "--show-toplevel")
    if top is None:
        raise DataError(f"git does not give the code of that version. {fault_of_git(root)}")
    if git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise DataError(f"This git repository does not have the commit {commit}: fetch it first.")
    inside = root.resolve().relative_to(Path(top).resolve())
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "tree"
        if git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit) is None:
            raise DataError(f"git could not make a work tree of {commit}.")
        try:
            yield tree / inside
        finally:
            git(root, "worktree", "remove", "--force", str(tree))


def _share_cache(root: Path, tree: Path) -> None:
    cache = subprocess.run(
        [sys.executable, "-m", "dvc", "cache", "dir"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    # DVC writes nothing but ASCII to its configuration, and the cache may lie anywhere.
    shared = Path(".dvc") / "shared-cache"
    (tree / shared).symlink_to((root / cache).resolve())
    _dvc(
        tree,
        *("config", "--local", "cache.dir", str(shared)),
        otherwise="DVC could not be told where its cache lies.",
    )


def _dvc(tree: Path, *arguments: str, otherwise: str) -> None:
    """Runs DVC in the work tree, whose own code and store the stages use, and nobody else's.

    It ends with this process, and so do its stages. The watchdog is ours, not the work tree's.
    """
    environ = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with subprocess.Popen(
        [sys.executable, "-P", watchdog.__file__, "0", "dvc", *arguments],
        cwd=tree,
        env={**environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        code = process.wait()
    if code != 0:
        lines = said.strip().splitlines() or ["nothing"]
        errors = [line for line in lines if line.startswith("ERROR: ")]
        last = (errors or lines)[-1].removeprefix("ERROR: ")
        raise StageError(f"{otherwise} DVC says: {last}")


def _differences(recorded: Mapping[str, Any], tree: Path) -> Iterator[str]:
    """What of the environment is not as it was."""
    now = environment(tree)
    for name in ("python", "platform"):
        if recorded[name] != now[name]:
            yield f"{name} {now[name]}, then {recorded[name]}"
    packages = {**recorded["packages"], **now["packages"]}
    for name in sorted(packages):
        then, found = recorded["packages"].get(name), now["packages"].get(name)
        if then != found:
            yield f"{name} {found or 'absent'}, then {then or 'absent'}"
