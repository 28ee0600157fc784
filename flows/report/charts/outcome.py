"""Pictures of the result and of the data: losses, calibration, residuals, activity, labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from flows.report.charts.theme import (
    ACCENT,
    GROUND,
    INK,
    QUIET,
    SERIES,
    WARM,
    Spec,
    blend,
    shades,
    sized,
)
from flows.report.facts import Run


def results(run: Run) -> Spec:
    """Draws the test loss of model and baselines with intervals, and the champion's as a line."""
    rows = [
        {
            "who": figures.title,
            "loss": figures.loss.mean,
            "low": figures.loss.low,
            "high": figures.loss.high,
            "own": figures.name == "model",
        }
        for figures in run.figures
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("who:N", sort=None, title=None),
        color=alt.condition("datum.own", alt.value(ACCENT), alt.value(QUIET)),
        tooltip=[
            alt.Tooltip("who:N", title=" "),
            alt.Tooltip("loss:Q", title=run.loss.upper(), format=".4f"),
            alt.Tooltip("low:Q", format=".4f"),
            alt.Tooltip("high:Q", format=".4f"),
        ],
    )
    x = alt.X("loss:Q", title=f"test {run.loss.upper()} (lower is better)").scale(zero=False)
    layers: list[Any] = [
        base.mark_rule(strokeWidth=6, opacity=0.3, strokeCap="round").encode(
            x=alt.X("low:Q").scale(zero=False), x2="high:Q"
        ),
        base.mark_point(filled=True, size=130, opacity=1).encode(x=x),
        base.mark_text(dy=-14, fontSize=12).encode(
            x=x, text=alt.Text("loss:Q", format=".4f"), color=alt.value(INK)
        ),
    ]
    contest = run.contest
    if contest is not None and run.decision is not None:
        number = run.decision.grounds.champion
        line = {"loss": contest.champion, "who": f"version {number}, champion at the time"}
        layers.append(
            alt.Chart(alt.Data(values=[line]))
            .mark_rule(strokeDash=[5, 4], color=WARM, strokeWidth=2)
            .encode(x=x, tooltip=[alt.Tooltip("who:N", title=" "), "loss:Q"])
        )
    return sized(alt.layer(*layers), 58 * len(rows))


def calibration(run: Run) -> Spec:
    """Draws the mean label by mean prediction, with intervals and the ideal diagonal."""
    rows = [vars(row) for row in run.calibration]
    ends = [value for row in run.calibration for value in (row.predicted, row.low, row.high)]
    diagonal = (
        alt.Chart(alt.Data(values=[{"x": end, "y": end} for end in (min(ends), max(ends))]))
        .mark_line(strokeDash=[5, 4], color="var(--muted)", strokeWidth=1.5)
        .encode(x="x:Q", y="y:Q")
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("predicted:Q", title="mean prediction").scale(zero=False),
        tooltip=[
            alt.Tooltip("predicted:Q", format=".4f"),
            alt.Tooltip("observed:Q", format=".4f"),
            "rows:Q",
        ],
    )
    observed = alt.Y("observed:Q", title=f"mean {run.label}").scale(zero=False)
    low = alt.Y("low:Q", title=f"mean {run.label}").scale(zero=False)
    return sized(
        alt.layer(
            diagonal,
            base.mark_rule(color=ACCENT, opacity=0.4, strokeWidth=3).encode(y=low, y2="high:Q"),
            base.mark_point(filled=True, color=ACCENT, size=70, opacity=1).encode(y=observed),
        ),
        300,
    )


def residuals(run: Run) -> Spec:
    """Draws the histogram of label minus score, stacked by label if there are few labels."""
    labels = sorted({row.label for row in run.residuals if row.label is not None})
    rows = [
        {
            "label": "all" if row.label is None else f"{row.label:g}",
            "low": row.low,
            "high": row.high,
            "rows": row.rows,
        }
        for row in run.residuals
    ]
    chart = alt.Chart(alt.Data(values=rows)).mark_bar(stroke=GROUND, strokeWidth=0.5)
    chart = chart.encode(
        x=alt.X("low:Q", bin="binned", title=f"{run.label} minus score").axis(grid=False),
        x2="high:Q",
        y=alt.Y("rows:Q", title="test rows", stack="zero"),
        tooltip=["label:N", alt.Tooltip("low:Q", format=".2f"), "rows:Q"],
    )
    if not labels:
        return sized(chart.encode(color=alt.value(ACCENT)), 300)
    names = [f"{label:g}" for label in labels]
    color = alt.Color("label:N", title=run.label, legend=alt.Legend(columns=6)).scale(
        domain=names, range=blend(len(names))
    )
    return sized(chart.encode(color=color), 300)


def activity(run: Run, by: str, buckets: Sequence[str]) -> Spec:
    """Draws the test loss by how often a row's user or item occurs in train.

    Args:
        run: The facts.
        by: The column that is counted, or "unknown values".
        buckets: The names of the ranges of the count, in order.
    """
    titles = {figures.name: figures.title for figures in run.figures}
    found = [row for row in run.activity if row.by == by]
    rows = []
    for row, bucket in zip(found, buckets, strict=True):
        losses = {"model": row.loss, **row.baselines}
        for name, loss in losses.items():
            own = name == "model"
            low, high = (row.low, row.high) if own else (None, None)
            rows.append(
                {
                    "bucket": bucket,
                    "who": titles.get(name, name),
                    "loss": loss,
                    "rows": row.rows,
                    "low": low,
                    "high": high,
                }
            )
    who = [titles[name] for name in ("model", *found[0].baselines)]
    colors = [ACCENT, *shades(len(who) - 1)]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("bucket:N", sort=list(buckets), title=_counted(by)).axis(
            labelAngle=-40, grid=False
        ),
        color=alt.Color("who:N", title=None, sort=who).scale(domain=who, range=colors),
        tooltip=[
            alt.Tooltip("who:N", title=" "),
            alt.Tooltip("bucket:N", title=_counted(by)),
            alt.Tooltip("loss:Q", format=".4f"),
            "rows:Q",
        ],
    )
    y = alt.Y("loss:Q", title=f"test {run.loss.upper()}").scale(zero=False)
    return sized(
        alt.layer(
            base.mark_rule(strokeWidth=5, opacity=0.3, strokeCap="round")
            .transform_filter("datum.low != null")
            .encode(y=alt.Y("low:Q").scale(zero=False), y2="high:Q"),
            base.mark_line(strokeWidth=1.4, opacity=0.7)
            .transform_filter("datum.bucket != 'unknown'")
            .encode(y=y),
            base.mark_point(filled=True, size=70, opacity=1).encode(y=y),
        ),
        280,
    )


def _counted(by: str) -> str:
    return "unknown values in a row" if by == "unknown values" else f"training rows of the {by}"


def label_quantiles(run: Run) -> Spec:
    """Draws box plots of the labels per split: quartiles, 1st and 99th percentile."""
    marks = {"low": "0.01", "first": "0.25", "middle": "0.5", "third": "0.75", "high": "0.99"}
    rows = [
        {"split": split.name}
        | {mark: split.label_quantiles[quantile] for mark, quantile in marks.items()}
        for split in run.splits
    ]
    names = [split.name for split in run.splits]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("split:N", sort=names, title=None),
        tooltip=["split:N", *(alt.Tooltip(f"{mark}:Q", format=".4g") for mark in marks)],
    )
    color = alt.Color("split:N", sort=names, legend=None).scale(domain=names, range=list(SERIES))
    return sized(
        alt.layer(
            base.mark_rule(color=QUIET).encode(x=alt.X("low:Q", title=run.label), x2="high:Q"),
            base.mark_bar(size=16).encode(x=alt.X("first:Q"), x2="third:Q", color=color),
            base.mark_tick(color=GROUND, thickness=2, size=16).encode(x="middle:Q"),
        ),
        160,
    )


def labels(run: Run) -> Spec:
    """Draws the share of each label per split."""
    rows = [
        {"label": label, "split": split.name, "share": count / split.rows, "rows": count}
        for split in run.splits
        for label, count in split.label_counts.items()
    ]
    order = list(run.splits[0].label_counts)
    names = [split.name for split in run.splits]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("label:N", sort=order, title=run.label).axis(labelAngle=0),
            xOffset=alt.XOffset("split:N", sort=names),
            y=alt.Y("share:Q", title="share of rows").axis(format="%"),
            color=alt.Color("split:N", title=None, sort=names).scale(
                domain=names, range=list(SERIES)
            ),
            tooltip=["split:N", "label:N", alt.Tooltip("share:Q", format=".2%"), "rows:Q"],
        )
    )
    return sized(chart, 240)
