"""Runs a benchmark's cells in worker processes, and writes one line per finished cell."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import Any

from rich.console import Console

from autorec_core.data.preparing.prepare import prepare
from autorec_core.errors import SearchError
from autorec_core.evaluation.figures import LOSSES
from autorec_core.search.records.store import code_hash
from autorec_core.search.workers import processors
from flows.benchmark.plan import OUTSIDE, Group, Settings, is_whole, split_name
from flows.benchmark.result_lines import (
    CELLS,
    RUNS,
    Line,
    append,
    key,
    machine,
    now,
    read_lines,
    versions,
)
from flows.config import Params

SPLITS = Path("data") / "benchmark"
"""Folder of encoded splits, which later runs reuse."""
GROUPS_A_PROCESS = 8
"""Number of groups after which a process is replaced, because its memory grows."""
TRIALS_A_PROCESS = 40
"""Number of trials after which a process is replaced, if each task is one trial."""


def run_cells(
    params: Params,
    groups: Sequence[Group],
    settings: Settings,
    output: Path,
    *,
    command: str,
    processes: int | None = None,
) -> int:
    """Runs the cells that are not on disk yet, and writes a line when a cell ends.

    Args:
        params: Parameters with data sets and budgets.
        groups: The cells.
        settings: Settings of all cells.
        output: The folder of the result files.
        command: The command as typed, which is recorded.
        processes: Groups at the same time, each in a process with one thread; None for one per
            processor.

    Returns:
        Number of cells that were run.

    Raises:
        SearchError: A worker process was killed, or a search failed. Finished cells are kept.
    """
    console = Console(highlight=False, markup=False)
    finished = read_lines(output / CELLS)
    done = {key(line) for line in finished}
    todo = [rest for group in groups if (rest := left(params, group, settings, done))]
    total = sum(len(group.tuners) or 1 for group in todo)
    size = min(processes or processors(), max(len(todo), 1))
    console.print(
        f"{total} cell{'s' * (total != 1)} to run, {size} at a time. Results: {output / CELLS}"
    )
    if older := made_by_other_code(finished, read_lines(output / RUNS)):
        console.print(
            f"{older} finished cells were made with different code (`code` in {RUNS}) and do not "
            "run again. To run them again, delete their lines."
        )
    if not todo:
        return 0
    began = time.monotonic()
    run = {"run": now(), "command": command, "processes": size, "cells": total}
    about = {"versions": versions(), "machine": machine(), "code": code_hash()}
    append(output / RUNS, [{**run, **about, "ended": None}])
    count = 0
    try:
        for line in _lines(params, todo, settings, size):
            append(output / CELLS, [{**line, "run": run["run"]}])
            count += 1
            console.print(f"{count:4d}/{total}  {_summary(line)}")
    finally:
        seconds = round(time.monotonic() - began, 1)
        end = {"run": run["run"], "ended": now(), "wall_seconds": seconds, "finished": count}
        append(output / RUNS, [end])
    return count


def made_by_other_code(cells: Sequence[Line], runs: Sequence[Line]) -> int:
    """Counts the finished cells that were made with different code.

    Args:
        cells: The lines of cells.
        runs: The lines of runs.
    """
    code = code_hash()
    ours = {run["run"] for run in runs if run.get("code") == code}
    return sum(line["run"] not in ours for line in cells)


def left(params: Params, group: Group, settings: Settings, done: set[str]) -> Group | None:
    """Returns the group without its finished cells, or None if all are finished.

    Args:
        params: Parameters with budgets.
        group: The cells.
        settings: Settings of all cells.
        done: The keys of finished cells.
    """
    inside: Line = {}
    if group.space != OUTSIDE:
        inside = settings.inside(params, group.space)
    rest = [name["tuner"] for name in group.names() if key({**name, **inside}) not in done]
    if not rest:
        return None
    return dataclasses.replace(group, tuners=tuple(t for t in rest if t is not None))


def _lines(params: Params, todo: Sequence[Group], settings: Settings, size: int) -> Iterator[Line]:
    """Runs the groups in processes. Yields the line of each finished cell."""
    waiting = iter(todo)
    manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(_end_with_this_process)
    with (
        manager,
        trial_processes(size, GROUPS_A_PROCESS) as pool,
    ):
        lines = manager.Queue()
        running: set[Future[None]] = set()
        try:
            while True:
                while len(running) < size and (group := next(waiting, None)) is not None:
                    folder = _split(params, group)
                    running.add(pool.submit(_work, params, group, settings, folder, lines))
                if not running:
                    return
                over, running = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                yield from _received(lines)
                for future in over:
                    future.result()
        except BrokenProcessPool as error:
            raise SearchError(
                "A worker process was killed, maybe because memory was full. Finished cells are "
                "kept. Run the same command again to continue, maybe with fewer --processes."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def trial_processes(size: int, tasks: int = TRIALS_A_PROCESS) -> ProcessPoolExecutor:
    """Creates a pool of processes for trials, each with one thread.

    Args:
        size: Number of processes.
        tasks: Number of tasks after which a process is replaced.
    """
    return ProcessPoolExecutor(
        size,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        max_tasks_per_child=tasks,
    )


def _received(lines: Any) -> Iterator[Line]:
    while not lines.empty():
        yield lines.get()


def _split(params: Params, group: Group) -> Path:
    """Returns the folder of a group's split, and creates it if it does not exist."""
    folder = SPLITS / split_name(params, group)
    if folder.exists():
        return folder
    entry, seed = params.dataset(group.source.dataset), group.seed
    if group.fold is None:
        sampled = entry.model_copy(update={"sample": group.source.most or entry.sample})
        prepare(sampled, params.split, params.preprocess, seed, group.source.path, folder)
        return folder
    whole = entry.model_copy(update={"sample": None})
    scratch = folder.with_name(f"{folder.name}-files")
    with group.fold.opened(whole, group.source.path, scratch) as (path, test):
        prepare(whole, params.split, params.preprocess, seed, path, folder, test=test)
    return folder


def _start() -> None:
    """Prepares a new process for trials."""
    from autorec_core.search.workers.processes import make_ready

    _end_with_this_process()
    make_ready()


def _end_with_this_process() -> None:
    """Makes a new process end when its parent process is gone."""
    from autorec_core.search.workers.processes import end_with_parent

    end_with_parent()


def _work(params: Params, group: Group, settings: Settings, folder: Path, lines: Any) -> None:
    """Runs a group in a worker process and sends the line of each finished cell."""
    from flows.benchmark.cells import run_group

    for name, found in zip(group.names(), run_group(params, group, settings, folder), strict=True):
        entry = params.dataset(group.source.dataset)
        whole = is_whole(entry, sum(found["rows"]), group.source)
        lines.put({**name, "title": entry.title, "whole": whole, **found})


def _summary(line: Line) -> str:
    """Returns the result of a cell in one line of text."""
    metric = LOSSES[line["task"]]
    fold = f"{line['protocol']} fold {line['fold']}" if "protocol" in line else None
    words = [line["dataset"], fold, line["model"], line["space"], line["tuner"]]
    words.append(f"seed {line['seed']}")
    named = " ".join(str(word) for word in words if word is not None)
    return f"{named}: test {metric.upper()} {line['test'][metric]:.4f}, {line['seconds']} s"
