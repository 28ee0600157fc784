"""Rebuilds a registered version from its lineage and compares the test metrics."""

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
from flows.registry.lineage import environment, out_hashes
from flows.registry.loading import lineage_of
from flows.registry.versions import get_version, model_name
from flows.repository import fault_of_git, git
from flows.workspace import Places

KEPT = ("fetch", "plan")
"""The stages whose results are not rebuilt, because they depend on a source or on a registry."""


@dataclass(frozen=True)
class Rebuilt:
    """The test metrics of a version, as registered and as rebuilt.

    Args:
        recorded: Registered value by metric.
        found: Value of the rebuilt model by metric.
        differences: Differences between the environments then and now, such as package versions.
    """

    recorded: Mapping[str, float]
    found: Mapping[str, float]
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every metric is equal to the last digit."""
        # Compares texts, so that NaN equals NaN: the AUC of a single label is NaN.
        return {k: repr(v) for k, v in self.recorded.items()} == {
            k: repr(v) for k, v in self.found.items()
        }


def reproduce(dataset: str, number: int, root: Path = Path()) -> None:
    """Rebuilds a version and prints its metrics next to the registered ones.

    Raises:
        ConfigError: There is no such version.
        DataError: Its commit or raw data is missing, or its code was never committed.
        AutoRecError: A metric differs.
    """
    console = Console(highlight=False, markup=False)
    document = lineage_of(get_version(dataset, number, root), root)
    console.print(
        f"Rebuilding version {number} of {model_name(dataset)} from commit "
        f"{document['git'].get('commit', '?')[:8]}. Only the raw file and the plan of the training "
        "are taken from the DVC cache."
    )
    rebuilt = rebuild(document, root)
    table = Table(title=f"{model_name(dataset)}, version {number}", title_justify="left")
    for column in ("test", "registered", "rebuilt"):
        table.add_column(column, justify="left" if column == "test" else "right")
    for name, value in rebuilt.recorded.items():
        table.add_row(name.upper(), f"{value!r}", f"{rebuilt.found.get(name)!r}")
    console.print(table)
    for difference in rebuilt.differences:
        console.print(f"Environment changed: {difference}")
    if not rebuilt.equal:
        raise AutoRecError(
            f"The rebuilt version {number} of {model_name(dataset)} has different test metrics."
        )
    console.print("Equal to the last digit.")


def rebuild(document: Mapping[str, Any], root: Path) -> Rebuilt:
    """Runs a version's pipeline again in a git work tree of its commit.

    The raw file and the plan come from the DVC cache. Every other stage runs again, without DVC's
    run cache.

    Args:
        document: The version's lineage.
        root: A workspace whose git repository has the commit and whose DVC cache has the raw file.

    Raises:
        DataError: The commit or the raw file is missing, or the code was never committed.
        StageError: A stage failed.
    """
    dataset, commit = document["dataset"], _commit(document)
    with _work_tree(root, commit) as tree:
        places = Places(dataset, tree)
        write_text(tree / "params.yaml", yaml.safe_dump(document["params"], sort_keys=False))
        built = document["dvc_lock"]
        kept = {name: built[name] for stage in KEPT if (name := f"{stage}@{dataset}") in built}
        lock = {"schema": "2.0", "stages": kept}
        write_text(tree / "dvc.lock", yaml.safe_dump(lock, sort_keys=False))
        _share_cache(root, tree)
        for path in out_hashes(kept):
            _dvc(tree, "checkout", path, failure=f"The DVC cache lacks {path} of that version.")
        _dvc(
            tree,
            *("repro", "--quiet", "--no-run-cache", f"evaluate@{dataset}"),
            failure="The pipeline failed.",
        )
        metrics = json.loads((places.evaluation / "metrics.json").read_text(encoding="utf-8"))
        recorded = document["metrics"]
        found = {name: metrics["model"].get(name) for name in recorded}
        return Rebuilt(recorded, found, tuple(_differences(document["environment"], tree)))


def _commit(document: Mapping[str, Any]) -> str:
    state = document["git"]
    if "commit" not in state:
        raise DataError("That version was made outside a git repository, so its code is unknown.")
    if state["dirty"]:
        raise DataError(
            f"That version was made with uncommitted changes on top of commit "
            f"{state['commit'][:8]}, so its code is unknown."
        )
    return state["commit"]


@contextmanager
def _work_tree(root: Path, commit: str) -> Iterator[Path]:
    """Checks out the workspace's folder at a commit in a temporary work tree."""
    top = git(root, "rev-parse", "--show-toplevel")
    if top is None:
        raise DataError(f"git cannot check out the code of that version. {fault_of_git(root)}")
    if git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise DataError(f"This git repository does not have the commit {commit}: fetch it first.")
    inside = root.resolve().relative_to(Path(top).resolve())
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "tree"
        if git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit) is None:
            raise DataError(f"git could not create a work tree of {commit}.")
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
    # A link, because DVC writes only ASCII to its configuration and the cache may have any path.
    shared = Path(".dvc") / "shared-cache"
    (tree / shared).symlink_to((root / cache).resolve())
    _dvc(
        tree,
        *("config", "--local", "cache.dir", str(shared)),
        failure="DVC's cache could not be configured.",
    )


def _dvc(tree: Path, *arguments: str, failure: str) -> None:
    """Runs DVC in the work tree. The stages use the code and the MLflow store of the work tree.

    DVC and its stages end with this process. The watchdog is that of this code, not of the work
    tree's code.

    Raises:
        StageError: DVC failed. The message is `failure` and DVC's last error.
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
        output = process.stderr.read()
        code = process.wait()
    if code != 0:
        lines = output.strip().splitlines() or ["no output"]
        errors = [line for line in lines if line.startswith("ERROR: ")]
        last = (errors or lines)[-1].removeprefix("ERROR: ")
        raise StageError(f"{failure} DVC says: {last}")


def _differences(recorded: Mapping[str, Any], tree: Path) -> Iterator[str]:
    """Returns a text for each difference between the recorded and the current environment."""
    now = environment(tree)
    for name in ("python", "platform"):
        if recorded[name] != now[name]:
            yield f"{name} is {now[name]}, was {recorded[name]}"
    packages = {**recorded["packages"], **now["packages"]}
    for name in sorted(packages):
        then, found = recorded["packages"].get(name), now["packages"].get(name)
        if then != found:
            yield f"{name} is {found or 'not installed'}, was {then or 'not installed'}"
