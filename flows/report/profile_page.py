"""The page of a data set's profile: one HTML file that needs no network."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autorec_core.data.preparing.split import PARTS
from autorec_core.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {"train": "#4c72b0", "valid": "#dd8452", "test": "#55a868"}
SHOWN_COLUMNS = 60
SHOWN_LABELS = 30
TOP_SHOWN = 3

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Profile of {{ name }}</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
 table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .8rem }
 td, th:not(:first-child) { text-align: right } th { text-align: left }
 tr { border-bottom: 1px solid #ddd } code { font-size: .85em } svg { max-width: 100% }
</style></head><body>
<h1>Profile of {{ name }}</h1>
<p>Split {{ profile.split.strategy }}, seed {{ profile.split.seed }}.
{% if profile.bad_rows %}{{ "{:,}".format(profile.bad_rows) }} bad rows were left out.{% endif %}
{% for table, rows in profile.tables.items() %}The side table {{ table }} has \
{{ "{:,}".format(rows) }} rows.
{% endfor %}Categories appear as hashes.</p>
<table><tr><th></th><th>rows</th><th>label mean</th></tr>
{% for part, of in profile.splits.items() %}<tr><th>{{ part }}</th>
<td>{{ "{:,}".format(of.rows) }}</td><td>{{ "%.4f" % of.label_mean }}</td></tr>
{% endfor %}</table>
{% for title, plot in plots %}<h2>{{ title }}</h2>{{ plot }}{% endfor %}
{% if columns %}<h2>Categories in train</h2>
<table><tr><th>column</th><th>categories</th><th>unknown in valid</th><th>in test</th>
<th>most frequent</th></tr>
{% for column in columns %}<tr><th>{{ column.name }}</th>
<td>{{ "{:,}".format(column.count) }}</td><td>{{ "{:.1%}".format(column.valid) }}</td>
<td>{{ "{:.1%}".format(column.test) }}</td><td>
{% for top in column.top %}<code>{{ top.hash }}</code> {{ "{:.1%}".format(top.share) }} {% endfor %}
</td></tr>{% endfor %}</table>{% endif %}
</body></html>
"""


def write_profile_page(name: str, profile: Mapping[str, Any], path: Path) -> None:
    """Writes the page of a data set's profile.

    Args:
        name: Name of the data set.
        profile: The profile from `prepare`.
        path: The HTML file to write.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    splits = profile["splits"]
    plots = [("Labels", _plot(partial(_labels, splits=splits)))]
    if splits["train"]["unknown_rate"]:
        plots.append(("Unknown categories", _plot(partial(_unknown, splits=splits))))
    plots += [
        (f"{column}, by quantiles", _plot(partial(_box, splits=splits, name=column), 1.6))
        for column in list(splits["train"]["quantiles"])[:SHOWN_COLUMNS]
    ]
    page = Environment(autoescape=True).from_string(TEMPLATE)
    shown = [(title, Markup(plot)) for title, plot in plots]  # safe: contains only our own SVG
    text = page.render(name=name, profile=profile, plots=shown, columns=_columns(splits))
    write_text(path, text)


def _columns(splits: Mapping[str, Any]) -> list[dict[str, Any]]:
    train = splits["train"]
    return [
        {
            "name": name,
            "count": count,
            "valid": splits["valid"]["unknown_rate"][name],
            "test": splits["test"]["unknown_rate"][name],
            "top": train["top"][name][:TOP_SHOWN],
        }
        for name, count in train["categories"].items()
    ]


def _plot(draw: Callable[[Axes], None], height: float = 2.8) -> str:
    """Returns a plot as SVG. The same figures give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "autorec", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8.0, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def _labels(axes: Axes, splits: Mapping[str, Any]) -> None:
    """Draws the share of each label per split, or box plots or means if there are many labels."""
    labels = list(splits["train"]["label_counts"])
    if not 0 < len(labels) <= SHOWN_LABELS:
        quantiles = {part: splits[part].get("label_quantiles") for part in PARTS}
        if any(quantiles.values()):
            _boxes(axes, quantiles)
            return
        axes.bar(PARTS, [splits[part]["label_mean"] for part in PARTS], color=COLORS.values())
        axes.set_ylabel("label mean")
        return
    for place, part in enumerate(PARTS):
        counts, rows = splits[part]["label_counts"], max(splits[part]["rows"], 1)
        shares = [counts.get(label, 0) / rows for label in labels]
        where = [at + (place - 1) * 0.27 for at in range(len(labels))]
        axes.bar(where, shares, 0.25, label=part, color=COLORS[part])
    axes.set_xticks(range(len(labels)), labels)
    axes.set_ylabel("share of rows")
    axes.legend(frameon=False)


def _unknown(axes: Axes, splits: Mapping[str, Any]) -> None:
    names = list(splits["train"]["unknown_rate"])[:SHOWN_COLUMNS]
    for place, part in enumerate(("valid", "test")):
        rates = [splits[part]["unknown_rate"][name] for name in names]
        where = [at + (place - 0.5) * 0.4 for at in range(len(names))]
        axes.bar(where, rates, 0.38, label=part, color=COLORS[part])
    axes.set_xticks(range(len(names)), names, rotation=60 if len(names) > 8 else 0, fontsize=8)
    axes.set_ylabel("share of rows")
    axes.legend(frameon=False)


def _box(axes: Axes, splits: Mapping[str, Any], name: str) -> None:
    _boxes(axes, {part: splits[part]["quantiles"][name] for part in PARTS})


def _boxes(axes: Axes, quantiles: Mapping[str, Mapping[str, float] | None]) -> None:
    """Draws boxes from the 1st to the 3rd quartile, whiskers to the 1st and 99th percentile."""
    marks = {"whislo": "0.01", "q1": "0.25", "med": "0.5", "q3": "0.75", "whishi": "0.99"}
    boxes = [
        {mark: found[quantile] for mark, quantile in marks.items()} | {"label": part}
        for part in reversed(PARTS)
        if (found := quantiles[part])
    ]
    axes.bxp(boxes, orientation="horizontal", showfliers=False, widths=0.6)
