"""The sections of params.yaml that the core's functions take: strict, frozen, typed.

There are no defaults here: params.yaml holds them, where the user can see them. `raw_config` has
the sections about raw files, `flows.config` reads the file and holds the other sections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from autorec_core.errors import listed
from autorec_core.metrics import METRICS, find_metric
from autorec_core.raw_config import (
    Format,
    MultiValued,
    Name,
    Section,
    Sha256,
    Source,
    Spelling,
    TableParams,
)


class SplitParams(Section):
    """How rows are divided into train, valid and test."""

    strategy: Literal["stratified", "hash", "by_time", "by_user"]
    ratios: list[PositiveFloat] = Field(min_length=3, max_length=3)

    @field_validator("ratios")
    @classmethod
    def _sums_to_one(cls, ratios: list[float]) -> list[float]:
        if abs(sum(ratios) - 1) > 1e-9:
            raise ValueError(f"train, valid and test must sum to 1, these sum to {sum(ratios):g}")
        return ratios


class PreprocessParams(Section):
    """How columns become ids and numbers."""

    min_count: PositiveInt
    max_vocabulary: PositiveInt | None
    numeric: Literal["log", "standard", "quantile"]
    missing_flag: bool


class ModelParams(Section):
    """Which recommender is searched, and in which search space."""

    name: Name
    space: Literal["extended", "thesis"]


class TrainParams(Section):
    """The budget of one candidate's training."""

    epochs: PositiveInt
    patience: PositiveInt
    refit: bool
    ensemble: PositiveInt | None
    max_latency_ms: PositiveFloat | None


class SearchParams(Section):
    """How candidates are proposed and how many are tried."""

    tuner: Literal["random", "greedy", "bayesian", "hyperband", "halving", "staged"]
    objective: str | None
    max_trials: PositiveInt
    max_epochs: PositiveInt | None
    prune: bool
    seconds: PositiveFloat | None
    max_failures: PositiveInt
    workers: NonNegativeInt | None

    @field_validator("objective")
    @classmethod
    def _names_a_metric(cls, objective: str | None) -> str | None:
        named = objective is not None and objective.startswith("val_")
        if objective is not None and not (named and find_metric(objective.removeprefix("val_"))):
            known = listed(f"val_{name}" for name in METRICS)
            raise ValueError(f"known objectives: {known}; null for the task's own")
        return objective


class ComputeParams(Section):
    """Where the work runs: the address of a Dask scheduler, or None for this machine."""

    address: Annotated[str, Field(pattern=r"^[a-z]+://\S+$")] | None


class Facts(Section):
    """Facts about a data set that must hold for every version of its raw file."""

    label_values: list[float] | None
    label_mean: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    min_rows: PositiveInt
    unique: list[str]
    ranges: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]
    max_psi: PositiveFloat | None
    warn_only: list[Literal["label_mean", "min_rows", "unique", "ranges", "max_psi"]]


class Negatives(Section):
    """How items that a user did not take are sampled, again in each epoch.

    Args:
        per_positive: Number of sampled items for each row.
        by: "uniform" samples every item equally often, "popularity" in proportion to its rows.
    """

    per_positive: Annotated[PositiveInt, Field(le=1000)]
    by: Literal["uniform", "popularity"]


class Keep(Section):
    """Which rows of a file are read: those with at least this number in a column."""

    column: str
    at_least: float


class Interactions(Section):
    """What an entry says about rows that are interactions; other data sets leave it out.

    Args:
        negatives: How items are sampled that a user did not take; only with `task: ranking`.
        keep: Which rows are read; None for all.
    """

    negatives: Negatives | None = None
    keep: Keep | None = None

    def lacking(self, task: str, label: str | None, roles: Mapping[str, str | None]) -> str | None:
        """Returns what is wrong with an entry; None if nothing is."""
        if task != "ranking":
            if self.negatives is not None:
                return "`negatives` is only allowed with `task: ranking`"
            return None if label else f"name the `label` column, which `task: {task}` needs"
        if self.negatives is None:
            return "`task: ranking` needs `negatives`, such as {per_positive: 4, by: popularity}"
        missing = [f"`{role}`" for role, name in roles.items() if name is None]
        return f"`task: ranking` needs {' and '.join(missing)}" if missing else None


TimeFeature = Literal[
    "day",
    "hour",
    "weekday",
    "user_age",
    "item_age",
    "user_recency",
    "item_recency",
    "user_drift",
    "user_day",
]
"""What can be computed from the time of a row; see `autorec_core.data.time_features`."""
TIME_CATEGORIES = ("hour", "weekday", "user_day")
"""The time features that are categories; all others are numbers."""


class DatasetParams(Spelling, Interactions):
    """One data set: its columns, the sources of its raw file, its side tables, and its facts."""

    title: str
    task: Literal["rating", "ctr", "ranking"]
    file: str
    sha256: Sha256 | None
    sources: list[Source] = Field(min_length=1)
    format: Format
    label: str | None
    categorical: list[str]
    multi_valued: dict[str, MultiValued]
    numeric: list[str]
    ignored: list[str]
    user: str | None
    item: str | None
    time: str | None
    tables: dict[Name, TableParams]
    time_features: list[TimeFeature] = Field(default=[])
    sample: PositiveInt | None
    on_bad_rows: Literal["fail", "quarantine"]
    max_bad_rows: PositiveInt
    facts: Facts

    @property
    def label_name(self) -> str:
        """The label's column; a made one, 1 in each row, if rows are interactions without label."""
        if self.label is not None:
            return self.label
        name = "interaction"
        while name in (*self.features, *self.ignored, self.time):
            name += "_"
        return name

    @property
    def features(self) -> list[str]:
        """The columns to learn from."""
        return [*self.categorical, *self.multi_valued, *self.numeric]

    @property
    def key_only(self) -> list[str]:
        """The columns that only `facts.unique` uses; they are read as text."""
        used = (self.label_name, self.time, *self.features)
        return [name for name in dict.fromkeys(self.facts.unique) if name not in used]

    @property
    def joined(self) -> DatasetParams:
        """This entry with the columns of its side tables, as if each raw row had them."""
        if not self.tables:
            return self
        tables = self.tables.values()
        several = {name: one for table in tables for name, one in table.multi_valued.items()}
        columns = {
            "categorical": [*self.categorical, *(c for one in tables for c in one.categorical)],
            "multi_valued": {**self.multi_valued, **several},
            "numeric": [*self.numeric, *(name for one in tables for name in one.numeric)],
        }
        return self.model_copy(update=columns)

    @property
    def roles(self) -> tuple[str | None, str | None]:
        """The user column and the item column."""
        return self.user, self.item

    @property
    def time_columns(self) -> dict[str, str]:
        """The name of the column of each time feature, different from all other columns."""
        taken = {self.label, *self.joined.features, *self.ignored}
        found: dict[str, str] = {}
        for feature in self.time_features:
            name = feature.replace("_", " ")
            while name in taken:
                name += "_"
            found[feature] = name
        return found

    @property
    def extended(self) -> DatasetParams:
        """This entry with all columns to learn from, also those of tables and time features."""
        if not self.time_features:
            return self.joined
        found, joined = self.time_columns, self.joined
        categories = [name for one, name in found.items() if one in TIME_CATEGORIES]
        numbers = [name for one, name in found.items() if one not in TIME_CATEGORIES]
        columns = {
            "categorical": [*joined.categorical, *categories],
            "numeric": [*joined.numeric, *numbers],
        }
        return joined.model_copy(update=columns)

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if wrong := self.conflict(self.task):
            raise ValueError(wrong)
        roles = {"user": self.user, "item": self.item}
        if wrong := self.lacking(self.task, self.label, roles):
            raise ValueError(wrong)
        label = [] if self.label is None else [self.label]
        declared = [*label, *self.features, *self.ignored]
        if doubled := [name for name, count in Counter(declared).items() if count > 1]:
            raise ValueError(f"columns with two roles: {listed(doubled)}")
        self._check_tables(declared)
        if not self.joined.features:
            raise ValueError(
                "none of `categorical`, `multi_valued` and `numeric` names a column to learn from"
            )
        described = dict.fromkeys(getattr(self.format, "columns", []))
        for name in declared:
            if described and name not in described:
                raise ValueError(
                    f"{name!r} is not among the columns of `format`: {', '.join(described)}"
                )
        of_tables = [name for table in self.tables.values() for name in table.features]
        for key, names, known in (
            ("facts.unique", self.facts.unique, declared),
            ("facts.ranges", self.facts.ranges, [*declared, *of_tables]),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"`{key}` names {name!r}, which is not a column of this data set"
                    )
        if self.keep is not None and self.keep.column not in declared:
            raise ValueError(
                f"`keep` names {self.keep.column!r}, which is not a column of this data set"
            )
        if self.time is not None and self.time not in declared:
            raise ValueError(f"`time` names {self.time!r}, which is not a column of this data set")
        self._check_time_features()
        for role in ("user", "item"):
            name = getattr(self, role)
            if name is not None and name not in self.categorical:
                raise ValueError(
                    f"`{role}` names {name!r}, which is not among the categorical columns "
                    f"{listed(self.categorical)}"
                )
        return self

    def _check_time_features(self) -> None:
        """Checks that the entry names the columns that its time features need."""
        if doubled := [name for name, count in Counter(self.time_features).items() if count > 1]:
            raise ValueError(f"`time_features` names {listed(doubled)} twice")
        if self.time_features and self.time is None:
            raise ValueError("`time_features` needs the column of times: set `time`")
        for role in ("user", "item"):
            needy = [one for one in self.time_features if one.startswith(f"{role}_")]
            if needy and getattr(self, role) is None:
                raise ValueError(f"`time_features` has {needy[0]}, which needs `{role}`")

    def _check_tables(self, declared: list[str]) -> None:
        """Checks that each side table joins a categorical column, and that all names differ."""
        owners = dict.fromkeys(declared, "the rows")
        for name, table in self.tables.items():
            where = f"`tables.{name}`"
            if table.joins not in self.categorical:
                raise ValueError(
                    f"{where} joins {table.joins!r}, which is not among the categorical columns "
                    f"{listed(self.categorical)}"
                )
            for column in (*table.features, *table.key_only[1:]):
                if column == self.label:
                    raise ValueError(
                        f"{where} has the label {column!r}: a side table must not have the label; "
                        "list it there as `ignored`"
                    )
                if column in owners:
                    raise ValueError(
                        f"{where} and {owners[column]} both have a column {column!r}: rename it in "
                        "one file, or list it as `ignored` in the table"
                    )
                owners[column] = where
