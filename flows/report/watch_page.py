"""The page of the watch: what the live model scores, and how good it is on later labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from autorec_core.files import write_text
from flows.config import Params
from flows.registry.loading import load_preprocessor
from flows.registry.versions import LIVE, aliased
from flows.report.templating import environment
from flows.watching.examine import Examined, examine
from flows.watching.histograms import difference
from flows.watching.profile import LATENCIES
from flows.watching.reference import Reference
from flows.workspace import Places


def watch(params: Params, places: Places) -> Examined:
    """Examines what the live version has scored since the last time, and writes the page.

    Args:
        params: The parameters.
        places: The paths of the data set.

    Raises:
        ConfigError: There is no live version.
        RegistryError: Its files cannot be loaded, or are not those registered.
    """
    version = aliased(places.dataset, LIVE, places.root)
    examined = examine(
        places.watch,
        version.number,
        Reference.of(version, places.root),
        dict(load_preprocessor(version, places.root).unknown_rate),
        params.watch.max_psi,
    )
    page = environment(html=True).get_template("watch.html.j2")
    write_text(places.watch_page, page.render(**facts(places.dataset, examined)))
    return examined


def facts(dataset: str, examined: Examined) -> dict[str, Any]:
    """Returns what page and Markdown show.

    Args:
        dataset: The data set.
        examined: What the watch knows.
    """
    total, live = examined.watched.total, examined.live
    return {
        "dataset": dataset,
        "version": examined.version,
        "rows": total.rows,
        "requests": total.requests,
        "windows": len(examined.watched.windows),
        "alarms": [str(alarm) for alarm in examined.alarms],
        "columns": _columns(examined),
        "latency": {name: _at_most(total.seconds, share) for name, share in _SHARES.items()},
        "live": live,
        "loss": examined.reference.loss.upper(),
        "limit": examined.reference.loss_limit,
    }


_SHARES = {"half of the requests": 0.5, "95 %": 0.95, "99 %": 0.99}


def _columns(examined: Examined) -> list[dict[str, Any]]:
    """Returns a row for each column and for the scores: PSI of all rows, and unknown ids."""
    total, reference = examined.watched.total, examined.reference
    histograms = {
        name: (reference.columns[name].counts, counts)
        for name, counts in total.columns.items()
        if name in reference.columns
    }
    if reference.scores is not None and total.scores:
        histograms["scores"] = (reference.scores.counts, [*total.scores, 0])
    rows = []
    for name, (before, now) in histograms.items():
        unknown = total.unknown.get(name) if name in total.columns else None
        rows.append(
            {
                "name": name,
                "psi": difference(before, now).psi,
                "unknown": None if unknown is None else unknown[0] / max(unknown[1], 1),
                "usual": examined.usual.get(name) if unknown is not None else None,
            }
        )
    return rows


def _at_most(seconds: list[int], share: float) -> str:
    """Returns in how many seconds a share of the requests was answered."""
    if not sum(seconds):
        return "unknown"
    place = int(np.searchsorted(np.cumsum(seconds), share * sum(seconds)))
    return f"{LATENCIES[place]:g} s" if place < len(LATENCIES) else f"over {LATENCIES[-1]:g} s"


def markdown(dataset: str, examined: Examined) -> str:
    """Returns the page's content as Markdown, for Prefect."""
    template = environment(html=False).get_template("watch.md.j2")
    return template.render(**facts(dataset, examined))
