"""Colours, fonts and sizes of all pictures."""

from __future__ import annotations

from typing import Any

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


def blend(count: int) -> list[str]:
    """Returns `count` colours from warm to accent, mixed by the browser from the page's colours."""
    shares = [round(100 * at / max(count - 1, 1)) for at in range(count)]
    return [f"color-mix(in oklab, {ACCENT} {share}%, {WARM})" for share in shares]


def shades(count: int) -> list[str]:
    """Returns `count` colours other than the accent: quiet, warm and mixtures of both."""
    if count <= 2:
        return list(SERIES[2:0:-1])[:count]
    shares = [round(100 * at / (count - 1)) for at in range(count)]
    return [f"color-mix(in oklab, {WARM} {share}%, {QUIET})" for share in shares]


def sized(chart: Any, height: int) -> Spec:
    """Returns the specification of a chart as wide as its container and `height` pixels high."""
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec.pop("config", None)
    return {**spec, "autosize": {"type": "fit-x", "contains": "padding"}}
