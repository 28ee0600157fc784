"""Makes the tables of protocols: our figures by fold, and the figures that others publish."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from flows.benchmark.protocols import OWN, PROTOCOLS
from flows.benchmark.result_lines import Line
from flows.benchmark.tables import NONE, TITLES, markdown

PUBLISHED = Path(__file__).with_name("published.json")
"""The figures that others publish, each with its source."""
SHOWN = {"rating": "rmse", "ctr": "ce"}
"""The metric of each task in these tables."""


def without_protocols(lines: Iterable[Line]) -> list[Line]:
    """Returns the lines of cells whose split is by a seed."""
    return [line for line in lines if "protocol" not in line]


def protocol_tables(lines: Iterable[Line]) -> str:
    """Returns a table for each protocol: a row for each model, a column for each fold.

    Args:
        lines: The lines of cells. Only those of protocols are used.
    """
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        if "protocol" in line:
            groups.setdefault((line["protocol"], line["dataset"]), []).append(line)
    return "\n\n".join(_table(*key, found) for key, found in sorted(groups.items()))


def _table(protocol: str, dataset: str, lines: Sequence[Line]) -> str:
    metric = SHOWN[lines[0]["task"]]
    folds = sorted({line["fold"] for line in lines})
    title = lines[0]["title"] if protocol == OWN else protocol
    about = f"the files of {dataset}" if protocol == OWN else PROTOCOLS[protocol].about
    table = [["model", *(f"fold {fold}" for fold in folds), "mean", "minutes a fold"]]
    rows: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        name = (line["model"], line["space"], line["tuner"], line.get("trials"))
        rows.setdefault(name, []).append(line)
    for name, own in sorted(rows.items(), key=lambda row: -_mean(row[1], metric)):
        by_fold = {
            fold: [line["test"][metric] for line in own if line["fold"] == fold] for fold in folds
        }
        whole = all(by_fold.values())
        minutes = statistics.fmean(line["seconds"] for line in own) / 60
        table.append(
            [
                _title(*name),
                *(_short(statistics.fmean(found)) if found else NONE for found in by_fold.values()),
                _short(_mean(own, metric)) if whole else NONE,
                f"{minutes:.1f}",
            ]
        )
    return "\n".join([f"### {title}", "", f"Test {metric.upper()}; {about}.", "", *markdown(table)])


def _title(model: str, space: str, tuner: str | None, trials: int | None) -> str:
    title = TITLES.get(model, model)
    return title if tuner is None else f"**{title}**, {space}, {tuner}, {trials} trials"


def _mean(lines: Sequence[Line], metric: str) -> float:
    """Returns the mean over folds; several seeds of a fold count as one."""
    folds = {line["fold"] for line in lines}
    means = [[line["test"][metric] for line in lines if line["fold"] == fold] for fold in folds]
    return statistics.fmean(map(statistics.fmean, means))


def _short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def published_table() -> str:
    """Returns the table of published figures, from the file that holds them and their sources."""
    table = [["protocol", "model", "folds", "RMSE", "inputs", "source"]]
    for entry in json.loads(PUBLISHED.read_text(encoding="utf-8")):
        model = f"{entry['model']} ({entry['remark']})" if entry["remark"] else entry["model"]
        figure = f"{entry['rmse']:.4f}".removeprefix("0")
        shown = [entry["protocol"], model, entry["folds"], figure, entry["inputs"], entry["source"]]
        table.append(shown)
    return "\n".join(markdown(table))
