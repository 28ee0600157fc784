"""What a run came to in words, for the page and the model card alike."""

from __future__ import annotations

from autorec_core.evaluation.breakdown import ActivityRow
from flows.report.facts import Figures, Run

FEWEST_ROWS = 30
"""A mean over fewer rows says little."""
MOST_NAMED = 5
NOTEWORTHY = 0.01
"""A share of unknown values that a reader should be told of."""


def headline(run: Run) -> str:
    """The result in two sentences: the loss, and how it stands beside the strongest baseline."""
    rows = run.splits[-1].rows
    model, other = run.model.loss, run.strongest
    first = (
        f"On {rows:,} test rows the model's {run.loss.upper()} is {model.mean:.4f} "
        f"({run.level:.0%} interval {model.low:.4f} to {model.high:.4f})."
    )
    return f"{first} {_beside(run, other)}"


def _beside(run: Run, other: Figures) -> str:
    difference = other.difference
    assert difference is not None
    share = abs(difference.mean) / other.loss.mean
    name = other.title
    if difference.high < 0:
        return f"That is {share:.1%} below the strongest baseline, {name} ({other.loss.mean:.4f})."
    if difference.low > 0:
        return (
            f"That is {share:.1%} above the baseline {name} ({other.loss.mean:.4f}): "
            f"this model should not go live."
        )
    return (
        f"That cannot be told apart from the baseline {name} ({other.loss.mean:.4f}): the "
        f"difference's interval is {difference.low:+.4f} to {difference.high:+.4f}."
    )


def made(run: Run) -> str:
    """What became the model, behind the winner's score: a clause, or nothing."""
    winner = run.winner
    again = "trained once more on train and valid together"
    if len(winner.members) == 1:
        return f", {again}" if winner.refit else ""
    *first, last = map(str, winner.members)
    again = f", each {again}" if winner.refit else ""
    return f"; the model is the mean of trials {', '.join(first)} and {last}{again}"


def standing(run: Run) -> str:
    """What became of the model in the registry."""
    version = run.version
    if version is None:
        return "This model is not registered, or no registry answers."
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    decision = f" {version.decision}" if version.decision else ""
    return f"Registered as version {version.number}{aliases}.{decision}"


def data_checks(run: Run) -> str:
    """Whether the data passed."""
    failed = len(run.failed_checks)
    checked = len(run.expectations)
    if failed:
        return f"{failed} of {checked} data checks failed."
    return f"All {checked} data checks passed."


def limits(run: Run) -> list[str]:
    """What a user of the model must know of its limits, read from the figures."""
    said = []
    for by in dict.fromkeys(row.by for row in run.activity):
        rows = [row for row in run.activity if row.by == by and row.rows >= FEWEST_ROWS]
        if rows:
            worst = max(rows, key=lambda row: row.loss)
            said.append(
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
        said.append(f"Values that training never met, by test rows: {named}{more}.")
    return said


def _where(row: ActivityRow) -> str:
    if row.by == "unknown values":
        more = "or more" if row.most is None else f"to {row.most:,}"
        count = f"{row.least:,}" if row.least == row.most else f"{row.least:,} {more}"
        return f"with {count} unknown values"
    if row.least == 0:
        return f"whose {row.by} training never met"
    if row.most is None:
        return f"whose {row.by} has {row.least:,} training rows or more"
    span = f"{row.least:,}" if row.least == row.most else f"{row.least:,} to {row.most:,}"
    return f"whose {row.by} has {span} training row{'' if row.most == 1 else 's'}"
