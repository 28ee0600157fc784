"""Draws a benchmark: test losses with their spread, one panel per data set."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autorec_core.files import whole_file
from flows.benchmark.result_lines import Line
from flows.benchmark.tables import OUTSIDE, TITLES, metric, rows_said

COLOURS = {"outside": "#8a8f98", "thesis": "#c2571a", "extended": "#3f51b5"}
MARKS = {
    None: "s",
    "random": "o",
    "greedy": "^",
    "bayesian": "D",
    "hyperband": "v",
    "halving": "P",
    "staged": "X",
}
_STYLE: Any = {
    "svg.hashsalt": "autorec",  # equal results give equal bytes
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": "#dddddd",
}

LEAST_HEIGHT = 2.0
"""In inches: the legend and one row."""


def draw(parts: Sequence[Sequence[Line]], path: Path) -> None:
    """Draws the lines of each data set into one SVG file.

    Args:
        parts: The lines of each data set.
        path: The file to write.

    Raises:
        DataError: The file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        heights = [len(_rows(lines)) for lines in parts]
        height = max(LEAST_HEIGHT, 0.24 * sum(heights) + 0.75 * len(parts))
        figure = Figure(figsize=(8, height), layout="constrained")
        panels = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
        for panel, lines in zip(panels, parts, strict=True):
            _panel(panel, lines)
        figure.legend(handles=_legend(), loc="outside upper center", ncols=3, frameon=False)
        with whole_file(path) as file:
            figure.savefig(file, format="svg", metadata={"Date": None})


def _rows(lines: Sequence[Line]) -> list[tuple[str, str, int]]:
    """Returns the labels of the vertical axis: (model, space, trials), in the tables' order."""
    found = dict.fromkeys((line["model"], line["space"], line.get("trials") or 0) for line in lines)
    order = list(TITLES)
    return sorted(
        (
            row for row in found if row[0] != "mean"
        ),  # its loss is so high that the others could not be seen
        key=lambda row: (
            row[0] not in OUTSIDE,
            order.index(row[0]) if row[0] in order else len(order),
            row[1:],
        ),
    )


def _panel(panel: Any, lines: Sequence[Line]) -> None:
    rows = _rows(lines)
    for place, (model, space, trials) in enumerate(rows):
        own = [
            line
            for line in lines
            if (line["model"], line["space"], line.get("trials") or 0) == (model, space, trials)
        ]
        tuners = list(dict.fromkeys(line["tuner"] for line in own))
        for number, tuner in enumerate(tuners):
            losses = [line["test"][metric(line)] for line in own if line["tuner"] == tuner]
            panel.errorbar(
                statistics.fmean(losses),
                place + (number - (len(tuners) - 1) / 2) * 0.25,
                xerr=statistics.stdev(losses) if len(losses) > 1 else 0,
                marker=MARKS[tuner],
                markersize=5,
                color=COLOURS[space],
                elinewidth=1,
            )
    panel.set_yticks(range(len(rows)), [_named(model, trials) for model, _, trials in rows])
    panel.set_ylim(len(rows) - 0.4, -0.6)
    first = lines[0]
    title = f"{first['title']}, {rows_said(first)}: test {metric(first).upper()}"
    panel.set_title(title, loc="left")


def _named(model: str, trials: int) -> str:
    title = TITLES.get(model, model)
    return f"{title}, {trials} trial{'s' if trials > 1 else ''}" if trials else title


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D

    spaces = {"outside": "baseline", "thesis": "thesis' space", "extended": "extended space"}
    colours = [
        Line2D([], [], color=COLOURS[key], marker="s", linestyle="", label=label)
        for key, label in spaces.items()
    ]
    marks = [
        Line2D([], [], color="#444444", marker=MARKS[key], linestyle="", label=key)
        for key in ("random", "greedy", "bayesian")
    ]
    return [line for pair in zip(colours, marks, strict=True) for line in pair]
