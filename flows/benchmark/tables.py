"""Makes Markdown tables of a benchmark's lines: mean ± standard deviation over the split seeds.

Each table is about one data set or one sample of it. The thesis used the full data sets, so its
figures appear only in tables of full data sets. The heading of a sample's table says so.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from autorec_core.evaluation.baselines import BASELINES
from autorec_core.evaluation.figures import LOSSES
from flows.benchmark import thesis
from flows.benchmark.result_lines import Line

TITLES = {
    **{name: baseline.title for name, baseline in BASELINES.items()},
    "svd": "SVD (Surprise)",
    "svdpp": "SVD++ (Surprise)",
    "knn": "item-kNN with baselines (Surprise)",
    "myfm": "Bayesian factorisation machine (myFM)",
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
OUTSIDE = (*BASELINES, "lightgbm", "svd", "svdpp", "knn", "myfm")
NONE = "–"


def metric(line: Line) -> str:
    """Returns the name of the task's loss."""
    return LOSSES[line["task"]]


def mean_sd(lines: Sequence[Line], seeds: int) -> str:
    """Returns the mean test loss with its standard deviation, and the seeds if some are missing."""
    if not lines:
        return NONE
    losses = _losses(lines)
    text = _short(statistics.fmean(losses))
    if len(losses) > 1:
        text += f" ± {_short(statistics.stdev(losses))}"
    return text if len(losses) == seeds else f"{text} ({len(losses)} of {seeds} seeds)"


def _short(value: float) -> str:
    """Formats a number with four digits, without the zero before the point, as in the thesis."""
    return f"{value:.4f}".removeprefix("0")


def sections(lines: Iterable[Line]) -> list[list[Line]]:
    """Groups lines by data set and sample: full data sets first, ratings before clicks."""
    found: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line["dataset"], line["data"]), []).append(line)
    return sorted(found.values(), key=lambda part: (not part[0]["whole"], part[0]["task"] == "ctr"))


def rows_said(line: Line) -> str:
    """Returns a phrase about the rows of a line, such as "all 100,000 rows"."""
    count = f"{sum(line['rows']):,}"
    return f"all {count} rows" if line["whole"] else f"a sample of {count} rows"


def data_table(lines: Sequence[Line]) -> str:
    """Returns the table of one data set, with a heading that names its rows."""
    first = lines[0]
    own_space = first["whole"] and any(line["space"] == "thesis" for line in lines)
    figures = thesis.FIGURES.get(first["dataset"]) if own_space else None
    seeds = len({line["seed"] for line in lines})
    parts = [
        f"### {first['title']}, {rows_said(first)}",
        "",
        f"Test {metric(first).upper()}, {first['rows'][2]:,} test rows per seed; seeds: {seeds}.",
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
        own = [
            line
            for line in lines
            if (line["model"], line["space"], line.get("trials")) == (model, space, trials)
        ]
        row = [TITLES.get(model, model), space, str(trials)]
        row += [mean_sd([ln for ln in own if ln["tuner"] == t], seeds) for t in thesis.TUNERS]
        if figures:
            reported = figures.get(model) if space == "thesis" else None
            row.append(" / ".join(f"{x:.3f}"[1:] for x in reported) if reported else NONE)
        table.append(row)
    found = _outside(lines)
    others = [["baseline", "test"], *([TITLES[n], mean_sd(found[n], seeds)] for n in found)]
    tables = [markdown(rows) for rows in (others, table) if len(rows) > 1]
    return "\n".join([*parts, *(text for rows in tables for text in (*rows, ""))]).rstrip("\n")


def _outside(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Returns the lines of each baseline that was run."""
    found = {
        name: [line for line in lines if line["model"] == name and not line["tuner"]]
        for name in OUTSIDE
    }
    return {name: own for name, own in found.items() if own}


def summary_table(lines: Sequence[Line]) -> str:
    """Returns one row per data set: strongest baseline, AutoRec with random search, difference.

    The difference is taken per seed, on the same rows, so that the chance of the split cancels out.
    """
    header = ["data", "loss", "strongest baseline", "AutoRec, thesis' space", "AutoRec, extended"]
    table = [[*header, "extended − baseline", "trials: thesis', extended"]]
    for part in sections(lines):
        seeds = len({line["seed"] for line in part})
        outside = _outside(part)
        best = min(outside, key=lambda name: statistics.fmean(_losses(outside[name])), default=None)
        found = {space: _autorec(part, space) for space in ("thesis", "extended")}
        trials = [str(own[0]["trials"]) if own else NONE for own in found.values()]
        table.append(
            [
                f"{part[0]['title']}, {rows_said(part[0])}",
                metric(part[0]).upper(),
                f"{mean_sd(outside[best], seeds)}, {TITLES[best]}" if best else NONE,
                *(mean_sd(own, seeds) for own in found.values()),
                _difference(found["extended"], outside[best]) if best else NONE,
                ", ".join(trials),
            ]
        )
    return "\n".join(markdown(table))


def _losses(lines: Sequence[Line]) -> list[float]:
    return [line["test"][metric(line)] for line in lines]


def _autorec(lines: Sequence[Line], space: str) -> list[Line]:
    """Returns AutoRec's lines with random search and the lowest number of trials."""
    own = [
        line
        for line in lines
        if (line["space"], line["tuner"]) == (space, "random")
        and line["model"].startswith("autorec")
    ]
    fewest = min((line["trials"] for line in own), default=0)
    return [line for line in own if line["trials"] == fewest]


def _difference(ours: Sequence[Line], others: Sequence[Line]) -> str:
    """Returns the mean difference of test losses over common seeds, with standard deviation."""
    by_seed = {line["seed"]: loss for line, loss in zip(others, _losses(others), strict=True)}
    own = zip(ours, _losses(ours), strict=True)
    differences = [loss - by_seed[line["seed"]] for line, loss in own if line["seed"] in by_seed]
    if not differences:
        return NONE
    mean = statistics.fmean(differences)
    text = f"{'−' if mean < 0 else '+'}{_short(abs(mean))}"
    if len(differences) > 1:
        text += f" ± {_short(statistics.stdev(differences))}"
    return text


def markdown(table: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a Markdown table. The first row is the header."""
    head, *rest = ([cell.replace("|", "\\|") for cell in row] for row in table)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rest)]


def runs_said(runs: Sequence[Line], lines: Sequence[Line]) -> str:
    """Returns a list with command, versions, machine and wall time of every run.

    Args:
        runs: The lines of runs.
        lines: The lines of cells. They give the cells and the time of a run that was stopped.
    """
    starts = [run for run in runs if "command" in run]
    ends = {run["run"]: run for run in runs if "wall_seconds" in run}
    items = []
    for run in starts:
        end = ends.get(run["run"])
        cells = [line["seconds"] for line in lines if line["run"] == run["run"]]
        took = (
            f"{end['wall_seconds'] / 60:.1f} minutes for {end['finished']} cells"
            if end
            else f"stopped by hand after {len(cells)} cells ({sum(cells) / 60:.1f} minutes)"
        )
        about = f"niceness {run['machine']['niceness']}, load before it {run['machine']['load'][0]}"
        items.append(f"- `{run['command']}`: {took}; {about}.")
    if starts:
        last = starts[-1]
        machine = last["machine"]
        packages = ", ".join(f"{name} {text}" for name, text in last["versions"].items() if text)
        items.append(
            f"- Machine: {machine['system']} on {machine['architecture']}, "
            f"{machine['processor']}, {machine['processors']} processors, "
            f"{machine['memory_gib']} GiB, Python {machine['python']}."
        )
        items.append(f"- Versions: {packages}.")
        if (states := len({run["code"] for run in starts})) > 1:
            items.append(f"- Code: {states} versions of it. The lines of the runs name them.")
    return "\n".join(items)
