"""The pictures of the page, each with title, explanation and its numbers as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from autorec_core.evaluation.breakdown import ActivityRow
from flows.report.charts import outcome, trials
from flows.report.charts.theme import Spec
from flows.report.facts import Run
from flows.report.importance import Importances, varied

MOST_LINES = 8
"""Maximum number of hyperparameters in parallel coordinates. More lines cannot be read."""
MOST_LABELS = 30
"""Maximum number of labels with a bar each. More bars cannot be read."""


@dataclass(frozen=True)
class Table:
    """A table for readers: column titles and rows of cells."""

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture: name on the page, title, explanation, Vega-Lite specification, numbers."""

    name: str
    title: str
    text: str
    spec: Spec
    table: Table


def pictures(run: Run, found: Importances) -> dict[str, Picture]:
    """Returns all pictures of a run by name. Pictures with nothing to show are left out."""
    drawn = [
        _results(run),
        *_progress(run),
        *_parallel(run, found),
        *_importance(run, found),
        *_curves(run),
        *_calibration(run),
        *_residuals(run),
        *_activity(run),
        *_labels(run),
    ]
    return {picture.name: picture for picture in drawn}


def _results(run: Run) -> Picture:
    metrics = list(run.model.metrics)
    others = [metric for metric in metrics if metric != run.loss]
    level = f"{run.level:.0%}"
    head = ("model", run.loss.upper(), f"{level} interval", "model minus this", f"{level} interval")
    rows = []
    for figures in run.figures:
        difference, values = figures.difference, figures.metrics
        rows.append(
            (
                figures.title,
                f"{figures.loss.mean:.4f}",
                f"{figures.loss.low:.4f} to {figures.loss.high:.4f}",
                f"{difference.mean:+.4f}" if difference else "",
                f"{difference.low:+.4f} to {difference.high:+.4f}" if difference else "",
                *(f"{values[name]:.4f}" if name in values else "" for name in others),
                figures.chosen,
            )
        )
    return Picture(
        "results",
        "The model and the baselines",
        f"Loss on the test rows, which were not used in search or training. Bars are {level} "
        "bootstrap intervals. Differences are paired by row, so they can be clear even if the "
        "bars overlap."
        + (
            " The dashed line is the champion that the model was compared with."
            if run.contest
            else ""
        ),
        outcome.results(run),
        Table((*head, *(name.upper() for name in others), "chosen on valid"), tuple(rows)),
    )


def _progress(run: Run) -> Iterator[Picture]:
    if not run.completed:
        return
    partial = sum(trial.is_partial for trial in run.trials)
    pale = f" Pale: {partial} that the search did not train to their end." if partial else ""
    yield Picture(
        "progress",
        "Leaderboard",
        "The score of every trial on the valid split, in the order in which they ran. The line is "
        f"the best score so far.{pale}",
        trials.progress(run),
        leaderboard(run),
    )


def leaderboard(run: Run) -> Table:
    """Returns the trials as a table, best first."""
    rows = [
        (
            trial.rank,
            trial.number,
            trial.status if trial.score is None else f"{trial.score:.5f}",
            trial.best_step,
            f"{trial.epochs:g}",
            trial.stopped,
            f"{trial.seconds:.1f}",
            trial.reason or _settings(trial.hyperparameters),
        )
        for trial in run.trials
    ]
    head = (
        "rank",
        "trial",
        run.winner.objective,
        "best step",
        "epochs",
        "stopped",
        "seconds",
        "hyperparameters",
    )
    return Table(head, tuple(rows))


def _settings(values: Any) -> str:
    names = _short(list(values))
    return ", ".join(f"{name} {value}" for name, value in zip(names, values.values(), strict=True))


def _parallel(run: Run, found: Importances) -> Iterator[Picture]:
    names = [row.name for row in found.rows if row.share > 0] or varied(run.completed)
    names = names[:MOST_LINES]
    if len(run.completed) < 2 or not names:
        return
    total = len(varied(run.completed))
    text = "One line per trial, with the winner's in front. Values rise from left to right."
    if total > len(names):
        which = "that changed the score most" if found.rows else "that were used most often"
        text += f" Of {total} varied hyperparameters, the {len(names)} {which} are shown."
    if any(name not in trial.hyperparameters for trial in run.completed for name in names):
        text += " A dash marks trials that did not use a hyperparameter."
    shown = _short(names)
    rows = [
        (
            trial.number,
            *(str(trial.hyperparameters.get(name, "–")) for name in names),
            f"{trial.score:.5f}",
        )
        for trial in run.completed
    ]
    yield Picture(
        "parallel",
        "Trials as parallel coordinates",
        text,
        trials.parallel(run, names, shown),
        Table(("trial", *shown, run.winner.objective), tuple(rows)),
    )


def _importance(run: Run, found: Importances) -> Iterator[Picture]:
    rows = [row for row in found.rows if row.share > 0]
    if not rows:
        return
    shown = _short([row.name for row in rows])
    bars = [(name, row.share, row.spread) for name, row in zip(shown, rows, strict=True)]
    yield Picture(
        "importance",
        "What changed the score",
        f"How much worse a random forest predicts a trial's score when one hyperparameter's values "
        f"are shuffled. {found.verdict}",
        trials.importance(bars[:12]),
        Table(
            ("hyperparameter", "share", "± standard deviation over shuffles"),
            tuple((row.name, f"{row.share:.1%}", f"{row.spread:.1%}") for row in rows),
        ),
    )


def _short(names: Sequence[str]) -> list[str]:
    """Shortens the paths of hyperparameters, if the short paths still differ."""
    cut = [(name.partition("/")[2] or name).replace("_interaction_", "_") for name in names]
    return list(names) if len(set(cut)) < len(names) else cut


def _curves(run: Run) -> Iterator[Picture]:
    if not run.curves:
        return
    rows = [
        (p.trial, p.step, f"{p.epoch:.2f}", f"{p.loss:.5f}", f"{p.objective:.5f}")
        for p in run.curves
    ]
    yield Picture(
        "curves",
        "Learning curves",
        "The valid score of every trial after each evaluation, with the winner's in front. "
        "Early stopping ends a trial that no longer improves.",
        trials.curves(run),
        Table(("trial", "step", "epoch", "training loss", run.winner.objective), tuple(rows)),
    )


def _calibration(run: Run) -> Iterator[Picture]:
    if not run.calibration:  # a preference is no probability
        return
    rows = [
        (f"{r.predicted:.4f}", f"{r.observed:.4f}", f"{r.low:.4f} to {r.high:.4f}", f"{r.rows:,}")
        for r in run.calibration
    ]
    head = ("mean prediction", f"mean {run.label}", f"{run.level:.0%} interval", "test rows")
    yield Picture(
        "calibration",
        "Calibration",
        "Test rows in bins of equal size, sorted by prediction. On the dashed line, predictions "
        "are right on average. Above the line they are too low.",
        outcome.calibration(run),
        Table(head, tuple(rows)),
    )


def _residuals(run: Run) -> Iterator[Picture]:
    if not run.residuals:
        return
    rows = [
        ("all" if r.label is None else f"{r.label:g}", f"{r.low:.3f}", f"{r.high:.3f}", r.rows)
        for r in run.residuals
    ]
    yield Picture(
        "residuals",
        "Residuals",
        f"How far {run.label} is above (right) or below (left) the score, by its true value.",
        outcome.residuals(run),
        Table((run.label, "from", "to", "test rows"), tuple(rows)),
    )


def _activity(run: Run) -> Iterator[Picture]:
    titles = {figures.name: figures.title for figures in run.figures}
    for place, by in enumerate(dict.fromkeys(row.by for row in run.activity)):
        found = [row for row in run.activity if row.by == by]
        buckets = [_bucket(row) for row in found]
        baselines = list(found[0].baselines)
        counted = by == "unknown values"
        rows = [
            (
                bucket,
                f"{row.rows:,}",
                *(() if counted else (f"{row.ids:,}",)),
                f"{row.loss:.4f}",
                f"{row.low:.4f} to {row.high:.4f}",
                *(f"{row.baselines[name]:.4f}" for name in baselines),
            )
            for bucket, row in zip(buckets, found, strict=True)
        ]
        head = (
            by if counted else "training rows",
            "test rows",
            *(() if counted else ("different ids",)),
            f"model {run.loss.upper()}",
            f"{run.level:.0%} interval",
            *(titles[name] for name in baselines),
        )
        text = (
            "Test loss by the number of values in a row that do not occur in train."
            if counted
            else f"Test loss by the number of training rows of the row's {by}. "
            + (
                "Ids that do not occur in train are shown separately."
                if found[0].least == 0
                else "Every id in test also occurs in train."
            )
        )
        title = "Loss by unknown values" if counted else f"Loss by activity: {by}"
        yield Picture(
            f"activity-{place}",
            title,
            text,
            outcome.activity(run, by, buckets),
            Table(head, tuple(rows)),
        )


def _bucket(row: ActivityRow) -> str:
    if row.least == 0 and row.by != "unknown values":
        return "unknown"
    if row.most is None:
        return f"{row.least:,}+"
    return f"{row.least:,}" if row.least == row.most else f"{row.least:,}–{row.most:,}"


def _label_quantiles(run: Run) -> Iterator[Picture]:
    """Yields a box plot of the labels, if there are too many labels for one bar each."""
    if not all(split.label_quantiles for split in run.splits):
        return
    rows = [
        (f"{float(share):.0%}", *(f"{split.label_quantiles[share]:.6g}" for split in run.splits))
        for share in run.splits[0].label_quantiles
    ]
    yield Picture(
        "labels",
        f"Distribution of {run.label}",
        "The bar is the middle half of the labels, with the median. The line goes from the 1st to "
        "the 99th percentile.",
        outcome.label_quantiles(run),
        Table(("rows below", *(split.name for split in run.splits)), tuple(rows)),
    )


def _labels(run: Run) -> Iterator[Picture]:
    if not all(0 < len(split.label_counts) <= MOST_LABELS for split in run.splits):
        yield from _label_quantiles(run)
        return
    every: Iterable[str] = run.splits[0].label_counts
    rows = [
        (label, *(f"{split.label_counts.get(label, 0):,}" for split in run.splits))
        for label in every
    ]
    yield Picture(
        "labels",
        f"Distribution of {run.label}",
        "The share of each label in train, valid and test.",
        outcome.labels(run),
        Table((run.label, *(split.name for split in run.splits)), tuple(rows)),
    )
