"""The report page of a run: one HTML file that needs no network."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from flows.registry.decision import COLUMNS
from flows.report import words
from flows.report.charts.theme import CONFIG
from flows.report.diagram import draw
from flows.report.facts import Run
from flows.report.importance import importances
from flows.report.pictures import Table, leaderboard, pictures
from flows.report.templating import environment

MAIN = "window.vegaEmbed = vegaEmbed;"


def render(run: Run, *, seed: int, digest: str, built: datetime) -> str:
    """Returns the page as HTML text.

    Args:
        run: The facts.
        seed: Seed for the importance of hyperparameters.
        digest: Hash of the facts and the code, from which `build` sees if the page is up to date.
        built: Time at which the page is made.
    """
    importance = importances(run.completed, seed)
    template = environment(html=True).get_template("page.html.j2")
    return template.render(
        run=run,
        headline=words.headline(run),
        trained=words.trained(run.mode, run.reason),
        standing=words.standing(run),
        data_checks=words.data_checks(run),
        origin=words.origin(run),
        gain=words.gain(run),
        limits=words.limits(run),
        tiles=_tiles(run),
        pictures=pictures(run, importance),
        verdict=importance.verdict,
        diagram=draw(run.winner.recommender, run.places),
        tables=_tables(run),
        config=CONFIG,
        libraries=_libraries(),
        digest=digest,
        built=built.strftime("%Y-%m-%d %H:%M UTC"),
    )


@cache
def _libraries() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script, in the version of Altair's charts."""
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return vl_convert.javascript_bundle(MAIN, vl_version=version)


def _tiles(run: Run) -> list[tuple[str, str, str]]:
    """Returns the figures at the top of the page: name, value, note."""
    seconds = sum(trial.seconds for trial in run.trials)
    model, difference = run.model, run.strongest.difference
    assert difference is not None
    share = difference.mean / run.strongest.loss.mean
    live = run.champion
    failed = sum(trial.status == "failed" for trial in run.trials)
    passed = len(run.expectations) - len(run.failed_checks)
    others = [(name, value) for name, value in model.metrics.items() if name != run.loss][:1]
    return [
        (
            f"test {run.loss.upper()}",
            f"{model.loss.mean:.4f}",
            f"{model.loss.low:.4f} to {model.loss.high:.4f}",
        ),
        *(
            (f"test {name.upper()}", f"{value:.4f}", f"on {run.splits[-1].rows:,} rows")
            for name, value in others
        ),
        ("compared with the baseline", f"{share:+.1%}".replace("-", "−"), run.strongest.title),
        (
            "trials" if run.completed else "settings trained again",
            str(len(run.trials)),
            f"{seconds / 60:.1f} min" + (f", {failed} failed" if failed else ""),
        ),
        ("data checks", f"{passed} / {len(run.expectations)}", "passed"),
        (
            "live",
            f"version {live.number}" if live else "none",
            "this run's model"
            if live and live == run.version
            else "another run's model"
            if live
            else "",
        ),
    ]


def _tables(run: Run) -> dict[str, Table]:
    """Returns the tables without a picture, by name."""
    return {
        "versions": Table(
            ("version", "aliases", run.loss.upper(), "decision"),
            tuple(
                (
                    version.number,
                    ", ".join(version.aliases) or "–",
                    f"{version.metrics[run.loss]:.4f}" if run.loss in version.metrics else "–",
                    version.decision or "–",
                )
                for version in run.versions
            ),
        ),
        "gate": Table(
            COLUMNS,
            tuple(tuple(check.cells()) for check in (run.decision.checks if run.decision else ())),
        ),
        "trials": leaderboard(run),
        "hyperparameters": Table(
            ("hyperparameter", "value"),
            tuple((name, _plain(value)) for name, value in run.winner.hyperparameters.items()),
        ),
        "splits": Table(
            ("split", "rows", f"mean {run.label}"),
            tuple((s.name, f"{s.rows:,}", f"{s.label_mean:.4f}") for s in run.splits),
        ),
        "columns": _columns(run),
        "checks": Table(
            ("result", "table", "check", "column", "settings", "unexpected values"),
            tuple(
                (
                    "passed" if check.success else check.severity,
                    check.table,
                    check.name,
                    check.column or "–",
                    check.settings or "–",
                    f"{check.unexpected:,} of {check.rows:,}",
                )
                for check in sorted(run.expectations, key=lambda check: check.success)
            ),
        ),
        "lineage": Table(("name", "value"), tuple(run.lineage.items())),
        "params": Table(
            ("parameter", "value"),
            tuple((name, json.dumps(value)) for name, value in run.params.items()),
        ),
    }


def _columns(run: Run) -> Table:
    train, _, test = run.splits
    roles: dict[str | None, str] = {None: ""}
    roles |= {name: f"from {table.name}" for table in run.tables for name in table.columns}
    roles |= {run.user: "user", run.item: "item"}
    categorical = [
        (
            name,
            roles.get(name, "category"),
            f"{train.categories[name]:,}",
            f"{test.unknown[name]:.2%}",
            "–",
            "–",
        )
        for name in run.columns
    ]
    numeric = [
        (
            name,
            roles.get(name, "number"),
            "–",
            "–",
            f"{train.missing[name]:.2%}",
            _range(train.quantiles[name]),
        )
        for name in train.missing
    ]
    head = (
        "column",
        "kind",
        "ids in train",
        "unknown in test",
        "missing in train",
        "1st / 50th / 99th percentile",
    )
    return Table(head, (*categorical, *numeric))


def _range(quantiles: Any) -> str:
    if not quantiles:
        return "–"
    return " / ".join(f"{quantiles[key]:g}" for key in ("0.01", "0.5", "0.99"))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def facts_as_json(run: Run) -> str:
    """Returns the facts as JSON with sorted keys, so that equal facts give equal texts."""
    return json.dumps(asdict(run), sort_keys=True, default=str)
