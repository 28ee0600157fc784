"""The facts of a run as one frozen value. The page and the model card are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autorec_core.evaluation.breakdown import ActivityRow, CalibrationRow, ResidualRow
from autorec_core.evaluation.intervals import Interval
from flows.registry.decision import TEST_ROWS, Check, Decision


@dataclass(frozen=True)
class Figures:
    """The test metrics of the model or of a baseline.

    Args:
        name: "model" or the baseline's name.
        title: The title for readers.
        metrics: Test metrics by name, the loss first.
        loss: The loss with its interval.
        difference: The model's loss minus this loss, paired by row; None for the model itself.
        chosen: The settings that a baseline chose on valid, as text; "" if there are none.
    """

    name: str
    title: str
    metrics: Mapping[str, float]
    loss: Interval
    difference: Interval | None
    chosen: str = ""


@dataclass(frozen=True)
class Trial:
    """One trial of the search.

    Args:
        rank: Rank, from 1.
        number: Number, from 0, in the order in which trials were proposed.
        status: How it ended.
        score: Its objective on valid; None if it failed or was not judged.
        best_step: Number of the evaluation with that score.
        seconds: Duration.
        hyperparameters: The searched values by path; empty if it failed.
        reason: Why it failed, or "".
        epochs: How long it was trained, in epochs.
        stopped: Why it stopped: "plateau", "all epochs", "pruned" or "paused"; "" if it failed.
    """

    rank: int
    number: int
    status: str
    score: float | None
    best_step: int
    seconds: float
    hyperparameters: Mapping[str, Any]
    reason: str
    epochs: float = 0.0
    stopped: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether the search stopped its training early, because other trials were better."""
        return self.stopped in ("pruned", "paused")


@dataclass(frozen=True)
class CurvePoint:
    """One evaluation of a trial: training loss and objective after `epoch` epochs."""

    trial: int
    step: int
    epoch: float
    loss: float
    objective: float


@dataclass(frozen=True)
class Winner:
    """The winning trial and its recommender.

    Args:
        trial: Number of the trial.
        objective: The objective of the search, such as `val_mse`.
        score: The trial's value of it; None if known settings were trained without judging them.
        best_step: Number of the evaluation with that score.
        hyperparameters: The searched values by path.
        recommender: The recommender's description from `Recommender.get_config`.
        refit: Whether it was trained again on train and valid together.
        members: The trials whose mean is the model, best first; often only the winning trial.
    """

    trial: int
    objective: str
    score: float | None
    best_step: int
    hyperparameters: Mapping[str, Any]
    recommender: Mapping[str, Any]
    refit: bool
    members: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """Figures of one split.

    Args:
        name: "train", "valid" or "test".
        rows: Number of rows.
        label_mean: The mean label.
        label_counts: Number of rows by label; empty if there are many different labels.
        categories: Number of different known values of each categorical column.
        unknown: The share of unknown values in each categorical column.
        missing: The share of missing values in each numeric column.
        quantiles: Quantiles of each numeric column.
        label_quantiles: Quantiles of the label.
    """

    name: str
    rows: int
    label_mean: float
    label_counts: Mapping[str, int]
    categories: Mapping[str, int]
    unknown: Mapping[str, float]
    missing: Mapping[str, float]
    quantiles: Mapping[str, Mapping[str, float]]
    label_quantiles: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class JoinedTable:
    """One side table, which the model carries.

    Args:
        name: Its name.
        joins: The column of the rows that holds its keys.
        rows: Number of rows.
        columns: The columns that the model reads from it.
    """

    name: str
    joins: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Expectation:
    """One data check and its result."""

    table: str
    name: str
    column: str
    settings: str
    severity: str
    success: bool
    rows: int
    unexpected: int


@dataclass(frozen=True)
class Registered:
    """A registered version: number, aliases, test metrics, and why it is live or not."""

    number: int
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    decision: str


@dataclass(frozen=True)
class Run:
    """All facts of a run.

    Args:
        dataset: The data set's name in params.yaml.
        title: The data set's title.
        task: "rating", "ctr" or "ranking".
        label: The label column.
        columns: The id columns: categorical ones, then multi-valued ones.
        places: The column of each encoded id, in order: once per category, repeated for a list.
        user: The user column, or None.
        item: The item column, or None.
        loss: The metric that training minimises, such as "mse".
        level: The level of all intervals.
        figures: The model's test metrics, then each baseline's.
        trials: The search's trials, best first.
        curves: Their learning curves.
        winner: The winner.
        calibration: Mean prediction and mean label on test, in bins.
        residuals: The histogram of label minus score on test.
        activity: The test loss by how often the user and the item occur in train.
        splits: Train, valid and test.
        bad_rows: Rows of the raw file that were set aside.
        expectations: The data checks.
        versions: The registered versions to show: this run's, the champion, the previous champion.
        version: This run's version; None if it is not registered or the registry does not answer.
        decision: The gate's decision on that version.
        lineage: Commit, hashes and seed of the version.
        params: Every parameter of the workspace by its dotted path.
        warnings: Warnings that readers need to judge the figures, as sentences.
        mode: "search", or "settings" if known settings were trained without a search.
        reason: Why this mode, as a sentence; "" if the run has no record of it.
        tables: The side tables. Raw rows do not have their columns.
        raw_columns: The columns that raw rows must have.
        time_features: What the time of a row yields.
    """

    dataset: str
    title: str
    task: str
    label: str
    columns: tuple[str, ...]
    places: tuple[str, ...]
    user: str | None
    item: str | None
    loss: str
    level: float
    figures: tuple[Figures, ...]
    trials: tuple[Trial, ...]
    curves: tuple[CurvePoint, ...]
    winner: Winner
    calibration: tuple[CalibrationRow, ...]
    residuals: tuple[ResidualRow, ...]
    activity: tuple[ActivityRow, ...]
    splits: tuple[Split, ...]
    bad_rows: int
    expectations: tuple[Expectation, ...]
    versions: tuple[Registered, ...]
    version: Registered | None
    decision: Decision | None
    lineage: Mapping[str, str]
    params: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    mode: str = "search"
    reason: str = ""
    tables: tuple[JoinedTable, ...] = ()
    raw_columns: tuple[str, ...] = ()
    time_features: tuple[str, ...] = ()

    @property
    def model(self) -> Figures:
        """The model's test metrics."""
        return self.figures[0]

    @property
    def strongest(self) -> Figures:
        """The baseline with the lowest test loss."""
        return min(self.figures[1:], key=lambda figures: figures.loss.mean)

    @property
    def champion(self) -> Registered | None:
        """The version that is live, or None."""
        return next((version for version in self.versions if "champion" in version.aliases), None)

    @property
    def contest(self) -> Check | None:
        """The gate's comparison of losses with the champion at the time, if it used all rows."""
        checks = self.decision.checks if self.decision else ()
        if any(check.name == TEST_ROWS and check.challenger is not None for check in checks):
            return None  # it used only some test rows: not comparable with losses on all rows
        return next((check for check in checks if check.name == "loss" and check.champion), None)

    @property
    def completed(self) -> tuple[Trial, ...]:
        """The trials that have a score, best first."""
        return tuple(trial for trial in self.trials if trial.score is not None)

    @property
    def failed_checks(self) -> tuple[Expectation, ...]:
        """The data checks that failed."""
        return tuple(check for check in self.expectations if not check.success)
