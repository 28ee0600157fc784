"""The model card: what a user of a registered model needs to know, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from flows.report import words
from flows.report.facts import Run
from flows.report.templating import environment

MOST_LENGTH = 5000
"""Maximum length of a version's description in MLflow's store."""
MOST_NAMES = 12


def model_card(run: Run) -> str:
    """Returns the card. Leaves out hyperparameters if it exceeds `MOST_LENGTH` characters."""
    for kept in range(len(run.winner.hyperparameters), -1, -1):
        card = _card(run, kept)
        if len(card) <= MOST_LENGTH:
            return card
    return card[: MOST_LENGTH - 2] + "…\n"


def _card(run: Run, kept: int) -> str:
    values = list(run.winner.hyperparameters.items())
    return (
        environment(html=False)
        .get_template("model_card.md.j2")
        .render(
            run=run,
            headline=words.headline(run),
            standing=words.standing(run),
            data_checks=words.data_checks(run),
            origin=words.origin(run),
            gain=words.gain(run),
            trained=words.trained(run.mode, run.reason),
            limits=words.limits(run),
            level=f"{run.level:.0%}",
            metrics=list(run.model.metrics),
            columns=_named(run.raw_columns),
            tables=[(table, _named(table.columns)) for table in run.tables],
            hyperparameters=values[:kept],
            more=len(values) - kept,
        )
    )


def _named(columns: Sequence[str]) -> str:
    named = ", ".join(f"`{name}`" for name in columns[:MOST_NAMES])
    others = len(columns) - MOST_NAMES
    return f"{named} and {others} more" if others > 0 else named
