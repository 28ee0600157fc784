"""Pictures of the search: leaderboard, parallel coordinates, importance, curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from autorec_core.metrics import objective_metric
from flows.report.charts.theme import ACCENT, INK, QUIET, Spec, sized
from flows.report.facts import Run


def progress(run: Run) -> Spec:
    """Draws the score of each trial in the order they ran, and the best score so far."""
    scored = sorted(run.completed, key=lambda trial: trial.number)
    best, rows = None, []
    metric = objective_metric(run.winner.objective)
    for trial in scored:
        assert trial.score is not None
        best = trial.score if best is None else metric.best((best, trial.score))
        rows.append(
            {
                "trial": trial.number,
                "score": trial.score,
                "best": best,
                "seconds": trial.seconds,
                "epochs": trial.epochs,
                "stopped": trial.stopped,
                "strength": 0.4 if trial.is_partial else 1,
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
    points = base.mark_point(filled=True).encode(
        y=y,
        opacity=alt.Opacity("strength:Q", scale=None, legend=None),
        color=alt.condition("datum.won", alt.value(ACCENT), alt.value(QUIET)),
        size=alt.condition("datum.won", alt.value(150), alt.value(70)),
        tooltip=[
            "trial:Q",
            alt.Tooltip("score:Q", format=".5f"),
            "epochs:Q",
            "stopped:N",
            "seconds:Q",
        ],
    )
    return sized(alt.layer(line, points), 240)


def parallel(run: Run, names: Sequence[str], shown: Sequence[str]) -> Spec:
    """Draws parallel coordinates with one horizontal line per hyperparameter.

    Args:
        run: The facts.
        names: The paths of the hyperparameters, in the order of the lines.
        shown: Their names in the picture.
    """
    points, ticks = _coordinates(run, names, shown)
    rows = [*shown, run.winner.objective]
    y = alt.Y("axis:N", sort=rows, title=None).axis(grid=False, labelLimit=150)
    x = alt.X("place:Q", title=None, axis=None).scale(domain=[-0.16, 1.04])
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
    return sized(alt.layer(rails, *_crossings(points, x, y), texts), 52 * len(rows))


def _crossings(points: list[dict[str, Any]], x: alt.X, y: alt.Y) -> list[Any]:
    """Draws the trials' lines and dots. The trial at the mouse pointer is highlighted."""
    hovered = _hovered("crossing")
    base = alt.Chart(alt.Data(values=points)).encode(
        x=x, y=y, color=alt.condition("datum.won", alt.value(ACCENT), alt.value(QUIET))
    )
    lines = base.mark_line(interpolate="monotone", orient="vertical").encode(
        order=alt.Order("row:Q"),
        detail="trial:N",
        strokeWidth=alt.when(hovered)
        .then(alt.value(4))
        .when("datum.won")
        .then(alt.value(3))
        .otherwise(alt.value(1.2)),
        opacity=alt.when(hovered | alt.datum.won).then(alt.value(1)).otherwise(alt.value(0.45)),
    )
    tooltip = [
        "trial:N",
        alt.Tooltip("axis:N", title="hyperparameter"),
        "value:N",
        alt.Tooltip("score:Q", format=".5f"),
    ]
    dots = base.mark_point(filled=True, size=38).encode(tooltip=tooltip).add_params(hovered)
    return [lines, dots]


def _hovered(name: str) -> Any:
    """Returns a selection of the trial whose point is nearest to the mouse pointer."""
    return alt.selection_point(
        name=name,
        fields=["trial"],
        on="pointerover",
        clear="pointerout",
        empty=False,
        nearest=True,
    )


def _coordinates(
    run: Run, names: Sequence[str], shown: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the position of each trial on each line, from 0 to 1, and the lines' labels."""
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
            # A phone shows only the ends, and the winner's value if it is not close to an end.
            key = at in (0.0, 1.0) or (at == won and 0.3 < at < 0.7)
            ticks.append({"axis": axis, "place": at, "value": _text(value), "key": key})
        if None in tried:
            ticks.append({"axis": axis, "place": -0.12, "value": "–", "key": True})
        for trial, value in zip(run.completed, tried, strict=True):
            where = -0.12 if value is None else place[value]
            text = "not used" if value is None else _text(value)
            points.append(_point(run, trial.number, trial.score, row, axis, where, text))
    for trial in run.completed:
        assert trial.score is not None
        where = (trial.score - least) / ((most - least) or 1.0)
        text = f"{trial.score:.5f}"
        points.append(
            _point(run, trial.number, trial.score, len(names), run.winner.objective, where, text)
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


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).removesuffix("Interaction")


def importance(rows: Sequence[tuple[str, float, float]]) -> Spec:
    """Draws the importance of hyperparameters, from (name, share, spread) of each."""
    values = [
        {"name": name, "share": share, "low": max(share - spread, 0.0), "high": share + spread}
        for name, share, spread in rows
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("name:N", sort=None, title=None),
        tooltip=["name:N", alt.Tooltip("share:Q", format=".1%")],
    )
    bars = base.mark_bar(color=ACCENT, cornerRadiusEnd=3, height={"band": 0.62}).encode(
        x=alt.X("share:Q", title="share of the explained score").axis(format="%", tickCount=5)
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    return sized(alt.layer(bars, whiskers), 28 * len(values))


def curves(run: Run) -> Spec:
    """Draws the learning curves of all trials, with the winner's in front."""
    metric = run.winner.objective
    # The winner comes last, so it is drawn above the others.
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
    hovered = _hovered("curve")
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
    return sized(alt.layer(lines, dots), 300)
