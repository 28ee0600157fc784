"""The pictures of a run, as Vega-Lite specifications: what is shown, never how it is drawn.

Every colour is a variable of the page's style sheet, so that pictures follow light and dark with
the page, and every width is the page's, so that they fit a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from flows.report.facts import Run

ACCENT, QUIET, WARM, INK, GROUND = (
    "var(--accent)",
    "var(--quiet)",
    "var(--warm)",
    "var(--ink)",
    "var(--card)",
)
SERIES = ("var(--accent)", "var(--warm)", "var(--quiet)")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_AXIS = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "gridColor": "var(--line)",
    "domainColor": "var(--line)",
    "tickColor": "var(--line)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": 500,
    "titlePadding": 8,
    "labelLimit": 190,
}
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": _AXIS,
    "axisY": {"domain": False, "ticks": False},
    "axisQuantitative": {"tickCount": 6, "labelOverlap": True, "labelSeparation": 8},
    "legend": {
        "labelColor": INK,
        "titleColor": "var(--muted)",
        "orient": "top",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "symbolStrokeWidth": 2,
        "symbolOpacity": 1,
        "columns": {"expr": "width < 330 ? 1 : width < 420 ? 2 : 0"},
    },
    "text": {"color": INK},
}
Spec = dict[str, Any]


def results(run: Run) -> Spec:
    """The test loss of model and baselines with intervals; the former champion's as a line."""
    rows = [
        {
            "who": one.title,
            "loss": one.loss.mean,
            "low": one.loss.low,
            "high": one.loss.high,
            "own": one.name == "model",
        }
        for one in run.figures
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
    x = alt.X("loss:Q", title=f"test {run.loss.upper()} (less is better)").scale(zero=False)
    layers: list[Any] = [
        base.mark_rule(strokeWidth=6, opacity=0.3, strokeCap="round").encode(
            x=alt.X("low:Q").scale(zero=False), x2="high:Q"
        ),
        base.mark_point(filled=True, size=130, opacity=1).encode(x=x),
        base.mark_text(dy=-14, fontSize=12).encode(x=x, text=alt.Text("loss:Q", format=".4f")),
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
    return _sized(alt.layer(*layers), 58 * len(rows))


def progress(run: Run) -> Spec:
    """Each trial's score in the order they ran, and the best so far."""
    scored = sorted(run.completed, key=lambda trial: trial.number)
    best, rows = None, []
    better = max if run.winner.objective.endswith("auc") else min
    for trial in scored:
        assert trial.score is not None
        best = trial.score if best is None else better(best, trial.score)
        rows.append(
            {
                "trial": trial.number,
                "score": trial.score,
                "best": best,
                "seconds": trial.seconds,
                "won": trial.number == run.winner.trial,
            }
        )
    x = alt.X("trial:Q", title="trial").axis(tickMinStep=1, grid=False, format="d")
    x = x.scale(padding=10, nice=False)
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    y = alt.Y("score:Q", title=run.winner.objective).scale(zero=False, padding=12)
    line = base.mark_line(interpolate="step-after", color=ACCENT, opacity=0.45).encode(
        y=alt.Y("best:Q").scale(zero=False)
    )
    points = base.mark_point(filled=True, opacity=1).encode(
        y=y,
        color=alt.condition("datum.won", alt.value(ACCENT), alt.value(QUIET)),
        size=alt.condition("datum.won", alt.value(150), alt.value(70)),
        tooltip=["trial:Q", alt.Tooltip("score:Q", format=".5f"), "seconds:Q"],
    )
    return _sized(alt.layer(line, points), 240)


def parallel(run: Run, names: Sequence[str], shown: Sequence[str]) -> Spec:
    """Parallel coordinates, turned so that each hyperparameter is a line of its own.

    Args:
        run: The facts.
        names: The hyperparameters' paths, in the order of the lines.
        shown: What each is called in the picture.
    """
    points, ticks = _coordinates(run, names, shown)
    rows = [*shown, run.winner.objective]
    y = alt.Y("axis:N", sort=rows, title=None).axis(grid=False, labelLimit=150)
    x = alt.X("place:Q", title=None, axis=None).scale(domain=[-0.16, 1.04])
    hovered = alt.selection_point(
        name="trial",
        fields=["trial"],
        on="pointerover",
        clear="pointerout",
        empty=False,
        nearest=True,
    )
    lifted = "datum.won"
    base = alt.Chart(alt.Data(values=points))
    lines = base.mark_line(interpolate="monotone", orient="vertical").encode(
        x=x,
        y=y,
        order=alt.Order("row:Q"),
        detail="trial:N",
        color=alt.condition(lifted, alt.value(ACCENT), alt.value(QUIET)),
        strokeWidth=alt.when(hovered)
        .then(alt.value(4))
        .when(lifted)
        .then(alt.value(3))
        .otherwise(alt.value(1.2)),
        opacity=alt.when(hovered)
        .then(alt.value(1))
        .when(lifted)
        .then(alt.value(1))
        .otherwise(alt.value(0.45)),
    )
    dots = (
        base.mark_point(filled=True, size=38)
        .encode(
            x=x,
            y=y,
            color=alt.condition(lifted, alt.value(ACCENT), alt.value(QUIET)),
            tooltip=[
                "trial:N",
                alt.Tooltip("axis:N", title="hyperparameter"),
                "value:N",
                alt.Tooltip("score:Q", format=".5f"),
            ],
        )
        .add_params(hovered)
    )
    rails = (
        alt.Chart(alt.Data(values=[{"axis": row, "from": 0, "to": 1} for row in rows]))
        .mark_rule(color="var(--line)", strokeWidth=2)
        .encode(x=alt.X("from:Q", axis=None), x2="to:Q", y=y)
    )
    texts = (
        alt.Chart(alt.Data(values=ticks))
        .transform_filter("width > 520 || datum.key")
        .mark_text(dy=15, fontSize=10.5, color="var(--muted)", limit=110)
        .encode(x=x, y=y, text="value:N")
    )
    return _sized(alt.layer(rails, lines, dots, texts), 52 * len(rows))


def _coordinates(
    run: Run, names: Sequence[str], shown: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Where each trial crosses each line, from 0 to 1, and the values written at the lines."""
    points: list[dict[str, Any]] = []
    ticks: list[dict[str, Any]] = []
    scores = [trial.score for trial in run.completed if trial.score is not None]
    least, most = min(scores), max(scores)
    for row, (name, axis) in enumerate(zip(names, shown, strict=True)):
        tried = [t.hyperparameters.get(name) for t in run.completed]
        known = list(dict.fromkeys(value for value in tried if value is not None))
        numeric = all(isinstance(value, int | float) for value in known)
        known.sort(key=None if numeric else str)
        place = {value: at / max(len(known) - 1, 1) for at, value in enumerate(known)}
        won = place.get(run.winner.hyperparameters.get(name), 0.0)
        for value, at in place.items():
            # What a phone has room for: the ends, and the winner's value if it is not beside one.
            key = at in (0.0, 1.0) or (at == won and 0.3 < at < 0.7)
            ticks.append({"axis": axis, "place": at, "value": _said(value), "key": key})
        if None in tried:
            ticks.append({"axis": axis, "place": -0.12, "value": "–", "key": True})
        for trial, value in zip(run.completed, tried, strict=True):
            where = -0.12 if value is None else place[value]
            said = "not in play" if value is None else _said(value)
            points.append(_point(run, trial.number, trial.score, row, axis, where, said))
    for trial in run.completed:
        assert trial.score is not None
        where = (trial.score - least) / ((most - least) or 1.0)
        said = f"{trial.score:.5f}"
        points.append(
            _point(run, trial.number, trial.score, len(names), run.winner.objective, where, said)
        )
    ticks += [
        {"axis": run.winner.objective, "place": place, "value": f"{value:.4f}", "key": True}
        for place, value in ((0.0, least), (1.0, most))
    ]
    return points, ticks


def _point(
    run: Run, trial: int, score: float | None, row: int, axis: str, place: float, value: str
) -> dict[str, Any]:
    return {
        "trial": trial,
        "score": score,
        "row": row,
        "axis": axis,
        "place": place,
        "value": value,
        "won": trial == run.winner.trial,
    }


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).removesuffix("Interaction")


def importance(rows: Sequence[tuple[str, float, float]]) -> Spec:
    """The importance of hyperparameters, given as name, share and spread of each."""
    values = [
        {"name": name, "share": share, "low": max(share - spread, 0.0), "high": share + spread}
        for name, share, spread in rows
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("name:N", sort=None, title=None),
        tooltip=["name:N", alt.Tooltip("share:Q", format=".1%")],
    )
    bars = base.mark_bar(color=ACCENT, cornerRadiusEnd=3, height={"band": 0.62}).encode(
        x=alt.X("share:Q", title="share of what is explained").axis(format="%", tickCount=5)
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    return _sized(alt.layer(bars, whiskers), 28 * len(values))


def curves(run: Run) -> Spec:
    """The learning curves of all trials, the winner's in front."""
    metric = run.winner.objective
    # Drawn in this order: the winner lies above the others.
    ordered = sorted(run.curves, key=lambda point: point.trial == run.winner.trial)
    rows = [
        {
            "trial": point.trial,
            "epoch": point.epoch,
            "objective": point.objective,
            "loss": point.loss,
            "won": point.trial == run.winner.trial,
        }
        for point in ordered
    ]
    hovered = alt.selection_point(
        name="curve",
        fields=["trial"],
        on="pointerover",
        clear="pointerout",
        empty=False,
        nearest=True,
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("epoch:Q", title="epoch").axis(grid=False),
        y=alt.Y("objective:Q", title=metric).scale(zero=False),
        color=alt.condition("datum.won", alt.value(ACCENT), alt.value(QUIET)),
        opacity=alt.when(hovered | alt.datum.won).then(alt.value(1)).otherwise(alt.value(0.5)),
    )
    lines = base.mark_line(strokeJoin="round").encode(
        detail="trial:N",
        strokeWidth=alt.when(hovered | alt.datum.won).then(alt.value(3)).otherwise(alt.value(1.4)),
    )
    dots = (
        base.mark_point(filled=True, size=26)
        .encode(
            tooltip=[
                "trial:N",
                alt.Tooltip("epoch:Q", format=".2f"),
                alt.Tooltip("objective:Q", title=metric, format=".5f"),
                alt.Tooltip("loss:Q", title="training loss", format=".5f"),
            ]
        )
        .add_params(hovered)
    )
    return _sized(alt.layer(lines, dots), 300)


def calibration(run: Run) -> Spec:
    """Prediction beside outcome, with intervals, and the diagonal they should lie on."""
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
    return _sized(
        alt.layer(
            diagonal,
            base.mark_rule(color=ACCENT, opacity=0.4, strokeWidth=3).encode(y=low, y2="high:Q"),
            base.mark_point(filled=True, color=ACCENT, size=70, opacity=1).encode(y=observed),
        ),
        300,
    )


def residuals(run: Run) -> Spec:
    """The histogram of label minus score, stacked by label where labels are few."""
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
        return _sized(chart.encode(color=alt.value(ACCENT)), 300)
    names = [f"{label:g}" for label in labels]
    color = alt.Color("label:N", title=run.label, legend=alt.Legend(columns=6)).scale(
        domain=names, range=blend(len(names))
    )
    return _sized(chart.encode(color=color), 300)


def blend(count: int) -> list[str]:
    """So many colours from warm to accent, mixed by the browser from the page's own."""
    shares = [round(100 * at / max(count - 1, 1)) for at in range(count)]
    return [f"color-mix(in oklab, {ACCENT} {share}%, {WARM})" for share in shares]


def activity(run: Run, by: str, buckets: Sequence[str]) -> Spec:
    """The test loss by how often a row's user or item was met in training.

    Args:
        run: The facts.
        by: The column that is counted.
        buckets: What each step of the count is called, in order.
    """
    titles = {one.name: one.title for one in run.figures}
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
    colors = (ACCENT, *SERIES[2:0:-1])[: len(who)]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("bucket:N", sort=list(buckets), title=_counted(by)).axis(
            labelAngle=-40, grid=False
        ),
        color=alt.Color("who:N", title=None, sort=who).scale(domain=who, range=list(colors)),
        tooltip=[
            alt.Tooltip("who:N", title=" "),
            alt.Tooltip("bucket:N", title=_counted(by)),
            alt.Tooltip("loss:Q", format=".4f"),
            "rows:Q",
        ],
    )
    y = alt.Y("loss:Q", title=f"test {run.loss.upper()}").scale(zero=False)
    return _sized(
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


def labels(run: Run) -> Spec:
    """The share of each label in each split."""
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
    return _sized(chart, 240)


def _sized(chart: Any, height: int) -> Spec:
    """The chart as wide as its place and so high."""
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec.pop("config", None)
    return {**spec, "autosize": {"type": "fit-x", "contains": "padding"}}
