"""A benchmark's lines as Markdown tables: mean ± sd over the split seeds, data set by data set.

A table holds the rows of one data set as one machine had it. The thesis' figures are of the full
data sets, so they stand in a table of such rows alone; a sample's table says that it is one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from autorec_core.evaluation.baselines import BASELINES
from autorec_core.evaluation.figures import LOSSES
from flows.benchmark import thesis
from flows.benchmark.result_lines import Line

TITLES = {
    **{name: one.title for name, one in BASELINES.items()},
    "svd": "SVD (Surprise)",
    "svdpp": "SVD++ (Surprise)",
    "lightgbm": "LightGBM",
    "mf": "MF",
    "mlp": "MLP",
    "neumf": "NeuMF",
    "autorec_rp": "AutoRec-RP",
    "deepfm": "DeepFM",
    "dlrm": "DLRM",
    "dcn": "DCN",
    "autoint": "AutoInt",
    "autorec_ctr": "AutoRec-CTR",
}
OUTSIDE = (*BASELINES, "lightgbm", "svd", "svdpp")
NONE = "–"


def metric(line: Line) -> str:
    """The metric that is the task's loss."""
    return LOSSES[line["task"]]


def mean_sd(lines: Sequence[Line], seeds: int) -> str:
    """The mean test loss with its standard deviation; how many seeds, where it is not `seeds`."""
    if not lines:
        return NONE
    losses = _losses(lines)
    text = _short(statistics.fmean(losses))
    if len(losses) > 1:
        text += f" ± {_short(statistics.stdev(losses))}"
    return text if len(losses) == seeds else f"{text} ({len(losses)} of {seeds} seeds)"


def _short(value: float) -> str:
    """Four digits, without the zero before the point, as in the thesis' tables."""
    return f"{value:.4f}".removeprefix("0")


def sections(lines: Iterable[Line]) -> list[list[Line]]:
    """The lines of each data set as it was there, in the order they were first run."""
    found: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line["dataset"], line["data"]), []).append(line)
    return sorted(found.values(), key=lambda part: (not part[0]["whole"], part[0]["task"] == "ctr"))


def rows_said(line: Line) -> str:
    """Which rows a line is about, in words."""
    count = f"{sum(line['rows']):,}"
    return f"all {count} rows" if line["whole"] else f"a sample of {count} rows"


def data_table(lines: Sequence[Line]) -> str:
    """One data set's table, under a heading that says which rows it is about."""
    first = lines[0]
    own_space = first["whole"] and any(line["space"] == "thesis" for line in lines)
    figures = thesis.FIGURES.get(first["dataset"]) if own_space else None
    seeds = len({line["seed"] for line in lines})
    parts = [
        f"### {first['title']}, {rows_said(first)}",
        "",
        f"Test {metric(first).upper()}, {first['rows'][2]:,} test rows a seed; seeds: {seeds}.",
        "",
    ]
    header = ["model", "space", "trials", "random", "greedy", "Bayesian"]
    if figures:
        header.append("the thesis (full data; random / greedy / Bayesian)")
    table = [header]
    models = sorted(
        {(line["model"], line["space"], line["trials"]) for line in lines if line["tuner"]},
        key=lambda row: (list(TITLES).index(row[0]) if row[0] in TITLES else 99, row[1:]),
    )
    for model, space, trials in models:
        mine = [
            line
            for line in lines
            if (line["model"], line["space"], line.get("trials")) == (model, space, trials)
        ]
        row = [TITLES.get(model, model), space, str(trials)]
        row += [mean_sd([one for one in mine if one["tuner"] == t], seeds) for t in thesis.TUNERS]
        if figures:
            theirs = figures.get(model) if space == "thesis" else None
            row.append(" / ".join(f"{x:.3f}"[1:] for x in theirs) if theirs else NONE)
        table.append(row)
    found = _outside(lines)
    others = [["baseline", "test"], *([TITLES[n], mean_sd(found[n], seeds)] for n in found)]
    tables = [markdown(one) for one in (others, table) if len(one) > 1]
    return "\n".join([*parts, *(text for one in tables for text in (*one, ""))]).rstrip("\n")


def _outside(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines of each baseline that was run."""
    found = {
        name: [line for line in lines if line["model"] == name and not line["tuner"]]
        for name in OUTSIDE
    }
    return {name: mine for name, mine in found.items() if mine}


def summary_table(lines: Sequence[Line]) -> str:
    """A line a data set: the strongest baseline, AutoRec with random search, and how they differ.

    The difference is taken seed by seed: on the same rows the luck of the split cancels.
    """
    header = ["data", "loss", "strongest baseline", "AutoRec, thesis' space", "AutoRec, extended"]
    table = [[*header, "extended − baseline", "trials: thesis', extended"]]
    for part in sections(lines):
        seeds = len({line["seed"] for line in part})
        outside = _outside(part)
        best = min(outside, key=lambda name: statistics.fmean(_losses(outside[name])), default=None)
        found = {space: _autorec(part, space) for space in ("thesis", "extended")}
        trials = [str(mine[0]["trials"]) if mine else NONE for mine in found.values()]
        table.append(
            [
                f"{part[0]['title']}, {rows_said(part[0])}",
                metric(part[0]).upper(),
                f"{mean_sd(outside[best], seeds)}, {TITLES[best]}" if best else NONE,
                *(mean_sd(mine, seeds) for mine in found.values()),
                _difference(found["extended"], outside[best]) if best else NONE,
                ", ".join(trials),
            ]
        )
    return "\n".join(markdown(table))


def _losses(lines: Sequence[Line]) -> list[float]:
    return [line["test"][metric(line)] for line in lines]


def _autorec(lines: Sequence[Line], space: str) -> list[Line]:
    """AutoRec's lines with random search, of the smallest budget that was run."""
    mine = [
        line
        for line in lines
        if (line["space"], line["tuner"]) == (space, "random")
        and line["model"].startswith("autorec")
    ]
    fewest = min((line["trials"] for line in mine), default=0)
    return [line for line in mine if line["trials"] == fewest]


def _difference(ours: Sequence[Line], theirs: Sequence[Line]) -> str:
    """The mean difference of test losses over the seeds that both have, with its spread."""
    other = {line["seed"]: loss for line, loss in zip(theirs, _losses(theirs), strict=True)}
    both = zip(ours, _losses(ours), strict=True)
    apart = [loss - other[line["seed"]] for line, loss in both if line["seed"] in other]
    if not apart:
        return NONE
    mean = statistics.fmean(apart)
    text = f"{'−' if mean < 0 else '+'}{_short(abs(mean))}"
    return f"{text} ± {_short(statistics.stdev(apart))}" if len(apart) > 1 else text


def markdown(table: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; the first row is its head."""
    head, *rest = ([cell.replace("|", "\\|") for cell in row] for row in table)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rest)]


def runs_said(runs: Sequence[Line], lines: Sequence[Line]) -> str:
    """Command, versions, machine and wall time of every run, as a list.

    Args:
        runs: The lines of runs.
        lines: The lines of cells: what a run that was stopped has done is worked out from them.
    """
    starts = [run for run in runs if "command" in run]
    ends = {run["run"]: run for run in runs if "wall_seconds" in run}
    said = []
    for run in starts:
        end = ends.get(run["run"])
        cells = [line["seconds"] for line in lines if line["run"] == run["run"]]
        took = (
            f"{end['wall_seconds'] / 60:.1f} minutes for {end['finished']} cells"
            if end
            else f"stopped by hand; {len(cells)} cells of {sum(cells) / 60:.1f} minutes are kept"
        )
        beside = (
            f"niceness {run['machine']['niceness']}, load {run['machine']['load'][0]} before it"
        )
        said.append(f"- `{run['command']}`: {took}; {beside}.")
    if starts:
        last = starts[-1]
        machine = last["machine"]
        packages = ", ".join(f"{name} {text}" for name, text in last["versions"].items() if text)
        said.append(
            f"- Machine: {machine['system']} on {machine['architecture']}, "
            f"{machine['processor']}, {machine['processors']} processors, "
            f"{machine['memory_gib']} GiB, Python {machine['python']}."
        )
        said.append(f"- Versions: {packages}.")
        if (states := len({run["code"] for run in starts})) > 1:
            said.append(f"- Code: {states} states of it; the lines of runs say which was whose.")
    return "\n".join(said)
