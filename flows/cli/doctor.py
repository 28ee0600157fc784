"""What `autorec doctor` looks at: environment, versions, services, disk, data, with remedies."""

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

Health = Literal["well", "note", "mend"]
STYLES: dict[Health, str] = {"well": "green", "note": "yellow", "mend": "bold red"}
PYTHONS = ((3, 11), (3, 14))
GIB = 1 << 30
SCARCE, TIGHT = 1 * GIB, 5 * GIB
PATIENCE = 3.0
MOST_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        area: What it belongs to.
        health: "well", "note" (worth knowing) or "mend" (something will not work).
        found: What was found.
        remedy: What to do about it, else "".
    """

    area: str
    health: Health
    found: str
    remedy: str = ""


def examine(root: Path = Path()) -> Iterator[Finding]:
    """Looks at everything a run in this workspace needs, one thing after the other."""
    yield from _environment(root)
    yield from _proxies()
    yield from _versions(root / "requirements.lock")
    yield _writable(root)
    yield _disk(root)
    try:
        params = Params.load(root / "params.yaml")
    except AutoRecError as error:
        remedy = "Mend the file, or go to the folder that holds dvc.yaml."
        yield Finding("params", "mend", str(error), remedy)
        yield from _services(root, {})
        return
    yield Finding("params", "well", f"params.yaml names {len(params.datasets)} data sets")
    yield from _services(root, running_services(root))
    yield from _data(params, root)


def show(findings: Iterable[Finding]) -> bool:
    """Prints the findings; returns whether nothing needs mending."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "looked at", "found", "what to do"):
        table.add_column(column, overflow="fold")
    mend = 0
    for one in findings:
        mend += one.health == "mend"
        health = f"[{STYLES[one.health]}]{one.health}[/]"
        table.add_row(health, *(escape(cell) for cell in (one.area, one.found, one.remedy)))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"To mend: {mend}." if mend else "Nothing needs mending.")
    return mend == 0


def _environment(root: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    yield Finding(
        "python",
        "well" if fits else "mend",
        f"Python {version}, {sys.prefix}",
        "" if fits else "Use Python 3.11, 3.12 or 3.13: `make install PYTHON=/its/path`.",
    )
    if (fault := fault_of_git(root)) is None:
        yield Finding("git", "well", "git repository")
    else:
        yield Finding("git", "mend" if fault.stops else "note", fault.found, fault.remedy)
    if (root / ".dvc").is_dir() and (root / "dvc.yaml").is_file():
        yield Finding("dvc", "well", "DVC repository with a pipeline")
    else:
        remedy = "Go to the folder of the project: it holds dvc.yaml and .dvc."
        yield Finding("dvc", "mend", "no dvc.yaml and .dvc here", remedy)


def _versions(lock: Path) -> Iterator[Finding]:
    """Installed packages against the lock."""
    if not lock.is_file():
        yield Finding("packages", "note", f"no {lock.name} here to compare with", "")
        return
    wanted = dict(_locked(lock.read_text(encoding="utf-8")))
    missing, other = [], []
    for name, version in wanted.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if found != version:
            other.append(f"{name} {found} (lock: {version})")
    if not missing and not other:
        yield Finding("packages", "well", f"all {len(wanted)} as {lock.name} has them")
    for what, names in (("missing", missing), ("another version", other)):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            found = f"{what}: {listed(sorted(names)[:MOST_NAMED])}{more}"
            yield Finding("packages", "mend", found, "`make install` installs the lock.")


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Name and version of each package that the lock wants on this machine."""
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
    """MLflow and Prefect: the servers that the environment names, or those `make up` started."""
    addresses = {**started, **os.environ}
    tracking = addresses.get("MLFLOW_TRACKING_URI")
    if tracking and tracking.startswith("http"):
        yield _answers("mlflow", f"{tracking.rstrip('/')}/health", "MLFLOW_TRACKING_URI")
    else:
        store = without_password(tracking or "") or "a file of this workspace, mlflow.db"
        known = "" if tracking or (root / "mlflow.db").exists() else " (the first run makes it)"
        yield Finding("mlflow", "well", f"{store}{known}")
        if corrected := correct_places(root):
            found = f"the workspace was moved; addresses in mlflow.db, now corrected: {corrected}"
            yield Finding("mlflow", "note", found)
    api = addresses.get("PREFECT_API_URL")
    if api:
        yield _answers("prefect", f"{api.rstrip('/')}/health", "PREFECT_API_URL")
    else:
        yield Finding("prefect", "well", "no server: each run brings its own; `make up` starts one")


def _answers(service: str, address: str, variable: str) -> Finding:
    from flows.processes.health import fault_of_server

    fault, shown = fault_of_server(address, PATIENCE), without_password(address)
    if fault is None:
        return Finding(service, "well", f"{shown} answers")
    return Finding(
        service,
        "mend",
        f"{shown} does not answer as {service} would: {fault}",
        f"Start it (`make up`), or unset {variable} to work without it.",
    )


def _proxies() -> Iterator[Finding]:
    """Proxies that the environment names, if it does."""
    names = listed(proxy_variables())
    try:
        check_proxies()
    except AutoRecError as error:
        yield Finding("proxy", "mend", str(error), f"Correct or unset {names}.")
    else:
        if proxy_variables():
            found = f"{names}; servers on this machine are reached without it"
            yield Finding("proxy", "well", found)


def _writable(root: Path) -> Finding:
    try:
        check_writable(root)
    except AutoRecError as error:
        found, _, remedy = str(error).partition(": ")
        return Finding("workspace", "mend", found, remedy[:1].upper() + remedy[1:])
    return Finding("workspace", "well", "can be written")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    found = f"{free / GIB:.1f} GiB free"
    if free < SCARCE:
        return Finding("disk", "mend", found, "Free some space: `dvc gc -w` drops old versions.")
    if free < TIGHT:
        return Finding("disk", "note", found, "Large data sets need more: `dvc gc -w` may help.")
    return Finding("disk", "well", found)


def _data(params: Params, root: Path) -> Iterator[Finding]:
    """Each data set: how far it has come, whether its checks passed, whether it is stale."""
    stale = _stale(root)
    for name in params.datasets:
        places = Places(name, root)
        failed = [path.stem for path in places.checks.glob("*.json") if not _passed(path)]
        if failed:
            pages = places.reports / failed[0] / "index.html"
            yield Finding(name, "mend", f"data checks failed: {listed(failed)}", f"See {pages}.")
        elif name not in params.pipeline.datasets:
            if places.raw.exists():
                remedy = "`pipeline.datasets` in params.yaml has to name it before it is built."
                yield Finding(name, "note", "fetched, but no stage builds it", remedy)
        elif not (places.evaluation / "metrics.json").exists():
            yield Finding(name, "note", f"{_reached(places)}", f"`autorec run {name}`")
        elif isinstance(stale, str):
            yield Finding(name, "note", f"evaluated; {stale}")
        elif changed := [stage for stage in stale if stage.endswith(f"@{name}")]:
            stages = listed(stage.partition("@")[0] for stage in changed)
            yield Finding(name, "note", f"evaluated, but stale: {stages}", f"`autorec run {name}`")
        else:
            yield Finding(name, "well", "evaluated and up to date")
    others = [n for n in params.datasets if n not in params.pipeline.datasets]
    if others:
        yield Finding("others", "well", f"known but not built: {listed(others)}")


def _reached(places: Places) -> str:
    """The furthest stage that left something."""
    steps: tuple[tuple[str, Callable[[Places], Path]], ...] = (
        ("searched, not evaluated", lambda p: p.search / "winner"),
        ("prepared, not searched", lambda p: p.prepared),
        ("fetched, not prepared", lambda p: p.raw),
    )
    return next((said for said, place in steps if place(places).exists()), "nothing here yet")


def _passed(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["success"])
    except (OSError, ValueError, KeyError):
        return False


def _stale(root: Path) -> dict[str, Any] | str:
    """What `dvc status` says has changed, by stage; a sentence where it cannot say."""
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
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return f"`dvc status` cannot tell whether it is up to date: {last}"
