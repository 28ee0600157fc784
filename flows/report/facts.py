"""The facts of a run, as one frozen value: what the page and the model card are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autorec_core.evaluation.breakdown import ActivityRow, CalibrationRow, ResidualRow
from autorec_core.evaluation.intervals import Interval
from flows.registry.decision import TEST_ROWS, Check, Decision


@dataclass(frozen=True)
class Figures:
    """The test figures of the model or of a baseline.

    Args:
        name: "model" or the baseline's name.
        title: The same for the reader.
        metrics: Test metrics by name, the loss first.
        loss: The loss with its interval.
        difference: The model's loss minus this one's, paired; None for the model itself.
        chosen: What a baseline chose on the valid rows, in words, else "".
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
        rank: Its place, from 1.
        number: Its number, from 0, in the order they were proposed.
        status: How it ended.
        score: Its objective on the valid split; None where it failed.
        best_step: The evaluation with that score.
        seconds: How long it took.
        hyperparameters: The searched values by path; none where it failed.
        reason: Why it failed, else "".
    """

    rank: int
    number: int
    status: str
    score: float | None
    best_step: int
    seconds: float
    hyperparameters: Mapping[str, Any]
    reason: str


@dataclass(frozen=True)
class CurvePoint:
    """One evaluation of a trial: training loss and objective after so many epochs."""

    trial: int
    step: int
    epoch: float
    loss: float
    objective: float


@dataclass(frozen=True)
class Winner:
    """The winning trial and the recommender it stands for.

    Args:
        trial: Its number.
        objective: What was best, such as `val_mse`.
        score: Its score.
        best_step: The evaluation with that score.
        hyperparameters: The searched values by path.
        recommender: The resolved recommender, as `Recommender.get_config` describes it.
        refit: Whether it was trained once more on train and valid together.
        members: The trials whose mean the model is, best first; alone, the winning one.
    """

    trial: int
    objective: str
    score: float
    best_step: int
    hyperparameters: Mapping[str, Any]
    recommender: Mapping[str, Any]
    refit: bool
    members: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """What one split holds.

    Args:
        name: "train", "valid" or "test".
        rows: Its rows.
        label_mean: The mean label.
        label_counts: Rows by label, where labels are few.
        categories: Different known values of each categorical column.
        unknown: The share of unknown values in each categorical column.
        missing: The share of gaps in each numeric column.
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
class Expectation:
    """One check of the data and its outcome."""

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
    """A registered version: its number, aliases, test figures, and why it is (not) live."""

    number: int
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    decision: str


@dataclass(frozen=True)
class Run:
    """All that is known of a run.

    Args:
        dataset: The data set's name in params.yaml.
        title: Its title.
        task: "rating" or "ctr".
        label: The label column.
        columns: The columns of ids: categorical ones, then multi-valued ones.
        places: The names of the encoded ids in their order: one a category, several a list.
        user: The user column, where there is one.
        item: The item column, where there is one.
        loss: The metric that training minimises, such as "mse".
        level: The level of all intervals.
        figures: The model's test figures, then each baseline's.
        trials: The search's trials, best first.
        curves: Their learning curves.
        winner: The winner.
        calibration: Prediction beside outcome on test.
        residuals: The histogram of label minus score on test.
        activity: The test loss by how often user and item were met.
        splits: Train, valid and test.
        bad_rows: Rows of the raw file that were set aside.
        expectations: The data checks.
        versions: The registered versions that matter: this run's, the champion, the previous one.
        version: This run's version; None where it is not registered, or no registry answers.
        decision: The gate's decision on that version.
        lineage: Commit, hashes, seed: what the version was registered with.
        params: Every parameter of the workspace by its dotted path.
        warnings: What must be known before the figures are believed, a sentence each.
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

    @property
    def model(self) -> Figures:
        """The model's test figures."""
        return self.figures[0]

    @property
    def strongest(self) -> Figures:
        """The baseline that is hardest to beat."""
        return min(self.figures[1:], key=lambda figures: figures.loss.mean)

    @property
    def champion(self) -> Registered | None:
        """The version that is live, where there is one."""
        return next((one for one in self.versions if "champion" in one.aliases), None)

    @property
    def contest(self) -> Check | None:
        """The gate's comparison of losses with the champion of the time, where all rows counted."""
        checks = self.decision.checks if self.decision else ()
        if any(one.name == TEST_ROWS and one.challenger is not None for one in checks):
            return None  # on some of the test rows only: no figure to hold beside those on all
        return next((one for one in checks if one.name == "loss" and one.champion), None)

    @property
    def completed(self) -> tuple[Trial, ...]:
        """The trials that have a score, best first."""
        return tuple(trial for trial in self.trials if trial.score is not None)

    @property
    def failed_checks(self) -> tuple[Expectation, ...]:
        """The data checks that did not hold."""
        return tuple(one for one in self.expectations if not one.success)
