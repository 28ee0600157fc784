"""Sentences about the result of a run, for the page and the model card."""

from __future__ import annotations

from collections import Counter

from autorec_core.evaluation.breakdown import ActivityRow
from flows.report.facts import Figures, Run

FEWEST_ROWS = 30
"""A mean over fewer rows is not reliable enough to report."""
MOST_NAMED = 5
NOTEWORTHY = 0.01
"""A share of unknown values from which the column is named."""


def headline(run: Run) -> str:
    """Returns the result in two sentences: the loss, and its comparison with the best baseline."""
    rows = run.splits[-1].rows
    model, other = run.model.loss, run.strongest
    first = (
        f"On {rows:,} test rows the model's {run.loss.upper()} is {model.mean:.4f} "
        f"({run.level:.0%} interval {model.low:.4f} to {model.high:.4f})."
    )
    return f"{first} {_comparison(other)}"


def _comparison(other: Figures) -> str:
    difference = other.difference
    assert difference is not None
    share = abs(difference.mean) / other.loss.mean
    name = other.title
    if difference.high < 0:
        return f"This is {share:.1%} below the strongest baseline, {name} ({other.loss.mean:.4f})."
    if difference.low > 0:
        return (
            f"This is {share:.1%} above the baseline {name} ({other.loss.mean:.4f}): "
            f"this model should not go live."
        )
    return (
        f"It is not clearly different from the baseline {name} ({other.loss.mean:.4f}): the "
        f"interval of the difference is {difference.low:+.4f} to {difference.high:+.4f}."
    )


def origin(run: Run) -> str:
    """Returns a sentence that says which trial the winner is, its score, and what was made of it.

    Settings that were trained again without a search have no score on valid.
    """
    winner = run.winner
    if winner.score is None:
        parts = len(winner.members)
        what = "The settings were" if parts == 1 else f"{parts} settings were averaged, each"
        return (
            f"{what} trained on train and valid together, as long as in the search that found "
            "them. So no score on valid was taken; the test metrics judge the model."
        )
    when = (
        f" after {winner.best_step} evaluations"
        if winner.best_step
        else (" before training, which did not improve it")
    )
    return f"Trial {winner.trial}, {winner.objective} {winner.score:.5f}{when}{made(run)}."


def made(run: Run) -> str:
    """Returns a clause on refitting and averaging, to follow the winner's score; or ""."""
    winner = run.winner
    again = "trained again on train and valid together"
    if len(winner.members) == 1:
        return f", {again}" if winner.refit else ""
    again = f", each {again}" if winner.refit else ""
    seeds = Counter(winner.members)
    if len(seeds) == 1:
        return f"; the model is the mean of {len(winner.members)} seeds of that trial{again}"
    named = [
        f"{trial} ({count} seeds)" if count > 1 else str(trial) for trial, count in seeds.items()
    ]
    *first, last = named
    return f"; the model is the mean of trials {', '.join(first)} and {last}{again}"


def gain(run: Run) -> str:
    """Returns what the search has added to its first candidate, the default; or "" if it failed."""
    first = next((trial for trial in run.trials if trial.number == 0), None)
    if first is None or not first.score or not run.winner.score or run.mode != "search":
        return ""
    if run.winner.trial == 0:
        return (
            "This is the first trial, the default candidate: the search found nothing better on "
            "valid."
        )
    share = abs(run.winner.score - first.score) / abs(first.score)
    return (
        f"The first trial, the default candidate, had {first.score:.5f}: the search improved it by "
        f"{share:.2%} on valid. The best of many trials is a little better by chance alone."
    )


TRAINED = {
    "search": "by a search",
    "settings": "with the champion's settings, without a search",
}
"""How a model was trained, by the mode of its run."""


def trained(mode: str, reason: str) -> str:
    """Returns a sentence on the mode of a training, and the reason for it; "" without a reason."""
    return f"Trained {TRAINED[mode]}. {reason}" if reason else ""


def standing(run: Run) -> str:
    """Returns the model's state in the registry: version, aliases, decision."""
    version = run.version
    if version is None:
        return "This model is not registered, or the registry does not answer."
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    decision = f" {version.decision}" if version.decision else ""
    return f"Registered as version {version.number}{aliases}.{decision}"


def data_checks(run: Run) -> str:
    """Returns a sentence that says whether the data checks passed."""
    failed = len(run.failed_checks)
    checked = len(run.expectations)
    if failed:
        return f"{failed} of {checked} data checks failed."
    return f"All {checked} data checks passed."


def limits(run: Run) -> list[str]:
    """Returns sentences about the limits of the model, from the test metrics."""
    sentences = []
    for by in dict.fromkeys(row.by for row in run.activity):
        rows = [row for row in run.activity if row.by == by and row.rows >= FEWEST_ROWS]
        if rows:
            worst = max(rows, key=lambda row: row.loss)
            sentences.append(
                f"{run.loss.upper()} is highest on rows {_where(worst)}: {worst.loss:.4f} "
                f"({worst.rows:,} test rows)."
            )
    unknown = [
        (share, column) for column, share in run.splits[-1].unknown.items() if share >= NOTEWORTHY
    ]
    if unknown:
        named = ", ".join(
            f"{column} {share:.1%}" for share, column in sorted(unknown, reverse=True)[:MOST_NAMED]
        )
        more = f" and {len(unknown) - MOST_NAMED} more columns" if len(unknown) > MOST_NAMED else ""
        sentences.append(f"Share of test rows with a value that is not in train: {named}{more}.")
    return sentences


def _where(row: ActivityRow) -> str:
    if row.by == "unknown values":
        more = "or more" if row.most is None else f"to {row.most:,}"
        count = f"{row.least:,}" if row.least == row.most else f"{row.least:,} {more}"
        return f"with {count} unknown values"
    if row.least == 0:
        return f"whose {row.by} is not in train"
    if row.most is None:
        return f"whose {row.by} has {row.least:,} training rows or more"
    span = f"{row.least:,}" if row.least == row.most else f"{row.least:,} to {row.most:,}"
    return f"whose {row.by} has {span} training row{'' if row.most == 1 else 's'}"
