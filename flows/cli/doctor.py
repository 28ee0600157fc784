"""The checks of `autorec doctor`: environment, versions, services, disk and data, with remedies."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autorec_core.errors import AutoRecError, listed
from flows.config import Params
from flows.environment import check_proxies, proxy_variables, without_password
from flows.processes.mlflow_store import correct_places
from flows.processes.services import running_services
from flows.repository import fault_of_git
from flows.workspace import Places, check_writable

Health = Literal["ok", "note", "fix"]
STYLES: dict[Health, str] = {"ok": "green", "note": "yellow", "fix": "bold red"}
PYTHONS = ((3, 11), (3, 14))
GIB = 1 << 30
SCARCE, TIGHT = 1 * GIB, 5 * GIB
PATIENCE = 3.0
MOST_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        area: What was checked, such as "git" or a data set's name.
        health: "ok", "note" (worth knowing) or "fix" (something will not work).
        found: What was found.
        remedy: What to do about it, or "".
    """

    area: str
    health: Health
    found: str
    remedy: str = ""


def examine(root: Path = Path()) -> Iterator[Finding]:
    """Checks everything that a run in this workspace needs, one check after the other."""
    yield from _environment(root)
    yield from _proxies()
    yield from _versions(root / "requirements.lock")
    yield _writable(root)
    yield _disk(root)
    try:
        params = Params.load(root / "params.yaml")
    except AutoRecError as error:
        remedy = "Fix the file, or go to the folder that contains dvc.yaml."
        yield Finding("params", "fix", str(error), remedy)
        yield from _services(root, {})
        return
    yield Finding("params", "ok", f"params.yaml names {len(params.datasets)} data sets")
    yield from _services(root, running_services(root))
    yield from _data(params, root)


def show(findings: Iterable[Finding]) -> bool:
    """Prints the findings. Returns True if nothing needs fixing."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "checked", "found", "what to do"):
        table.add_column(column, overflow="fold")
    broken = 0
    for finding in findings:
        broken += finding.health == "fix"
        health = f"[{STYLES[finding.health]}]{finding.health}[/]"
        cells = (finding.area, finding.found, finding.remedy)
        table.add_row(health, *(escape(cell) for cell in cells))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"To fix: {broken}." if broken else "Nothing needs fixing.")
    return broken == 0


def _environment(root: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    yield Finding(
        "python",
        "ok" if fits else "fix",
        f"Python {version}, {sys.prefix}",
        "" if fits else "Use Python 3.11, 3.12 or 3.13: `make install PYTHON=/its/path`.",
    )
    if (fault := fault_of_git(root)) is None:
        yield Finding("git", "ok", "git repository")
    else:
        yield Finding("git", "fix" if fault.stops else "note", fault.found, fault.remedy)
    if (root / ".dvc").is_dir() and (root / "dvc.yaml").is_file():
        yield Finding("dvc", "ok", "DVC repository with a pipeline")
    else:
        remedy = "Go to the project's folder, which contains dvc.yaml and .dvc."
        yield Finding("dvc", "fix", "no dvc.yaml and .dvc here", remedy)


def _versions(lock: Path) -> Iterator[Finding]:
    """Compares the installed packages with the lock."""
    if not lock.is_file():
        yield Finding("packages", "note", f"no {lock.name} here to compare with", "")
        return
    wanted = dict(_locked(lock.read_text(encoding="utf-8")))
    missing: list[str] = []
    spared: list[str] = []
    other: list[str] = []
    needed = _needed()
    for name, version in wanted.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            (missing if name in needed else spared).append(name)
            continue
        if found != version:
            other.append(f"{name} {found} (lock: {version})")
    if not missing and not other:
        number = "all" if not spared else "the"
        found = f"{number} {len(wanted) - len(spared)} packages match {lock.name}"
        yield Finding("packages", "ok", found)
    for problem, names in (("missing", missing), ("another version", other)):
        if names:
            found = f"{problem}: {_some(names)}"
            yield Finding("packages", "fix", found, "`make install` installs the lock.")
    if spared:
        found = f"missing, only tests and documentation need them: {_some(spared)}"
        remedy = "`make install` installs them; the image leaves them out."
        yield Finding("packages", "note", found, remedy)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return listed(sorted(names)[:MOST_NAMED]) + more


def _needed() -> set[str]:
    """Returns the names of the packages that AutoRec needs, directly or indirectly."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    known: set[tuple[str, str]] = set()
    left = [("autorec", "")]
    while left:
        name, extra = left.pop()
        known.add((name, extra))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for wanted in map(Requirement, lines):
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                package = canonicalize_name(wanted.name)
                left += [one for e in ("", *wanted.extras) if (one := (package, e)) not in known]
    return {name for name, _ in known}


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Returns name and version of each package that the lock requires on this machine."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in text.splitlines():
        if not line[:1].isalnum():
            continue
        try:
            wanted = Requirement(line.rstrip("\\ "))
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate():
            yield wanted.name, str(wanted.specifier).removeprefix("==")


def _services(root: Path, started: Mapping[str, str]) -> Iterator[Finding]:
    """Checks the MLflow and Prefect servers of the environment, or those that `make up` started."""
    addresses = {**started, **os.environ}
    tracking = addresses.get("MLFLOW_TRACKING_URI")
    if tracking and tracking.startswith("http"):
        yield _answers("mlflow", f"{tracking.rstrip('/')}/health", "MLFLOW_TRACKING_URI")
    else:
        store = without_password(tracking or "") or "a file of this workspace, mlflow.db"
        known = "" if tracking or (root / "mlflow.db").exists() else " (the first run creates it)"
        yield Finding("mlflow", "ok", f"{store}{known}")
        if corrected := correct_places(root):
            found = f"the workspace was moved; corrected {corrected} URLs in mlflow.db"
            yield Finding("mlflow", "note", found)
    api = addresses.get("PREFECT_API_URL")
    if api:
        yield _answers("prefect", f"{api.rstrip('/')}/health", "PREFECT_API_URL")
    else:
        yield Finding("prefect", "ok", "no server; each run starts its own, `make up` starts one")


def _answers(service: str, address: str, variable: str) -> Finding:
    from flows.processes.health import fault_of_server

    fault, shown = fault_of_server(address, PATIENCE), without_password(address)
    if fault is None:
        return Finding(service, "ok", f"{shown} answers")
    return Finding(
        service,
        "fix",
        f"{shown} does not answer like {service}: {fault}",
        f"Start it (`make up`), or unset {variable} to work without it.",
    )


def _proxies() -> Iterator[Finding]:
    """Checks the proxies of the environment, if there are any."""
    names = listed(proxy_variables())
    try:
        check_proxies()
    except AutoRecError as error:
        yield Finding("proxy", "fix", str(error), f"Correct or unset {names}.")
    else:
        if proxy_variables():
            found = f"{names}; not used for servers on this machine"
            yield Finding("proxy", "ok", found)


def _writable(root: Path) -> Finding:
    try:
        check_writable(root)
    except AutoRecError as error:
        found, _, remedy = str(error).partition(": ")
        return Finding("workspace", "fix", found, remedy[:1].upper() + remedy[1:])
    return Finding("workspace", "ok", "writable")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    found = f"{free / GIB:.1f} GiB free"
    if free < SCARCE:
        return Finding("disk", "fix", found, "Free some space: `dvc gc -w` deletes old versions.")
    if free < TIGHT:
        return Finding("disk", "note", found, "Large data sets need more. `dvc gc -w` may help.")
    return Finding("disk", "ok", found)


def _data(params: Params, root: Path) -> Iterator[Finding]:
    """Checks each data set: progress, failed data checks, stale stages."""
    stale = _stale(root)
    for name in params.datasets:
        places = Places(name, root)
        failed = [path.stem for path in places.checks.glob("*.json") if not _passed(path)]
        if failed:
            pages = places.reports / failed[0] / "index.html"
            yield Finding(name, "fix", f"data checks failed: {listed(failed)}", f"See {pages}.")
        elif name not in params.pipeline.datasets:
            if places.raw.exists():
                remedy = "Add it to `pipeline.datasets` in params.yaml to build it."
                yield Finding(name, "note", "fetched, but no stage builds it", remedy)
        elif not (places.evaluation / "metrics.json").exists():
            yield Finding(name, "note", f"{_reached(places)}", f"`autorec run {name}`")
        elif isinstance(stale, str):
            yield Finding(name, "note", f"evaluated; {stale}")
        elif changed := [stage for stage in stale if stage.endswith(f"@{name}")]:
            stages = listed(stage.partition("@")[0] for stage in changed)
            yield Finding(name, "note", f"evaluated, but stale: {stages}", f"`autorec run {name}`")
        else:
            yield Finding(name, "ok", "evaluated and up to date")
    others = [n for n in params.datasets if n not in params.pipeline.datasets]
    if others:
        yield Finding("others", "ok", f"known but not built: {listed(others)}")


def _reached(places: Places) -> str:
    """Returns the last stage whose results are in the workspace, as text."""
    steps: tuple[tuple[str, Callable[[Places], Path]], ...] = (
        ("searched, not evaluated", lambda p: p.search / "winner"),
        ("prepared, not searched", lambda p: p.prepared),
        ("fetched, not prepared", lambda p: p.raw),
    )
    return next((text for text, path in steps if path(places).exists()), "nothing built yet")


def _passed(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["success"])
    except (OSError, ValueError, KeyError):
        return False


def _stale(root: Path) -> dict[str, Any] | str:
    """Returns the changed stages according to `dvc status`, or a sentence if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return f"`dvc status` failed, so it may be out of date: {last}"
