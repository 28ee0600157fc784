"""params.yaml as one strict, frozen, typed object.

This file has no defaults: params.yaml contains every value. The dotted path of a key is its name
everywhere: in error messages, in `dvc exp run -S` and in MLflow. The sections that the core uses
are in `autorec_core.config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import yaml
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from autorec_core.config import (
    ComputeParams,
    DatasetParams,
    ModelParams,
    PreprocessParams,
    SearchParams,
    SplitParams,
    TrainParams,
)
from autorec_core.errors import ConfigError, listed
from autorec_core.metrics import objective_metric
from autorec_core.raw_config import Name, Section

EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]


Retrain = Literal["auto", "search", "settings"]


class PipelineParams(Section):
    """Which data sets are built, how a run trains, and what it does if another run is active."""

    datasets: list[Name] = Field(min_length=1)
    on_busy: Literal["wait", "leave"]
    retrain: Retrain
    retrain_datasets: dict[Name, Retrain]
    search_every: PositiveInt | None


class ToleranceParams(Section):
    """How much worse a challenger's guard metrics may be than the champion's."""

    calibration: NonNegativeFloat
    segment_loss: NonNegativeFloat
    latency: NonNegativeFloat
    size: NonNegativeFloat


class RegistryParams(Section):
    """When a new model replaces the champion."""

    mode: Literal["auto", "dry-run", "manual"]
    min_improvement: NonNegativeFloat
    unreadable_champion: Literal["replace", "keep"]
    min_test_rows: PositiveInt
    min_test_users: PositiveInt
    min_segment_rows: PositiveInt
    tolerances: ToleranceParams


class TlsParams(Section):
    """The files of a server's certificate, with the chain, and of its private key."""

    certificate: str = Field(min_length=1)
    key: str = Field(min_length=1)


class ServeParams(Section):
    """Settings of `autorec serve`."""

    host: str = Field(min_length=1)
    port: Annotated[int, Field(ge=0, le=65535)]
    max_rows: PositiveInt
    max_body_bytes: PositiveInt
    refresh_seconds: PositiveFloat
    keys_from: EnvironmentVariable | None
    requests_per_minute: PositiveInt | None
    tls: TlsParams | None


class WatchParams(Section):
    """How the live model is watched."""

    record: bool
    max_psi: PositiveFloat


class WebhookParams(Section):
    """A URL that receives JSON messages. It is read from an environment variable: it is secret."""

    url_from: EnvironmentVariable


class EmailParams(Section):
    """Mail server, sender and recipients. User and password are environment variables."""

    host: str = Field(min_length=1)
    port: Port
    security: Literal["none", "starttls", "tls"]
    sender: str = Field(pattern="@")
    recipients: list[Annotated[str, Field(pattern="@")]] = Field(min_length=1)
    user_from: EnvironmentVariable | None
    password_from: EnvironmentVariable | None


class NotifyParams(Section):
    """Who is notified if a run failed, crashed or was cancelled."""

    webhook: WebhookParams | None
    email: EmailParams | None
    command: Annotated[list[str], Field(min_length=1)] | None


class ServicesParams(Section):
    """Host and ports of the servers that `make up` starts."""

    host: str = Field(min_length=1)
    prefect_port: Port
    mlflow_port: Port


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
    watch: WatchParams
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
        for name in self.pipeline.retrain_datasets:
            if name not in self.datasets:
                raise ValueError(
                    f"`pipeline.retrain_datasets` names {name!r}; known data sets: "
                    f"{listed(self.datasets)}"
                )
        return self

    @classmethod
    def load(cls, path: Path = Path("params.yaml")) -> Self:
        """Reads and validates a params file.

        Raises:
            ConfigError: The file cannot be read, or a key or value is not allowed. The message
                names the file, the key, the value and the allowed values.
        """
        return cls.parse(_text(path), path)

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Validates the text of a params file.

        Args:
            text: Content of the file.
            path: Path of the file, used only in error messages.

        Raises:
            ConfigError: A key or value is not allowed.
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
        """Returns the entry of a data set.

        Raises:
            ConfigError: No data set has this name.
        """
        if name not in self.datasets:
            raise ConfigError(
                f"Unknown data set {name!r}. params.yaml knows: {listed(self.datasets)}."
            )
        return self.datasets[name]

    def buildable(self, name: str) -> DatasetParams:
        """Returns the entry of a data set that `dvc repro` builds.

        Raises:
            ConfigError: No data set has this name, `pipeline.datasets` does not list it, or
                `search.objective` does not fit its task.
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

    def retrain_mode(self, name: str) -> Retrain:
        """Returns how a data set's runs train, by its own entry or that of all data sets."""
        return self.pipeline.retrain_datasets.get(name, self.pipeline.retrain)

    def flat(self, dataset: str) -> dict[str, Any]:
        """Returns a run's parameters by dotted path, for MLflow. Only `dataset`'s entry is kept."""
        content = self.model_dump()
        content["datasets"] = {dataset: content["datasets"][dataset]}
        content["pipeline"]["retrain_datasets"] = own_modes(content, dataset)
        return dict(_flattened("", content))


def own_modes(content: Mapping[str, Any], dataset: str) -> dict[str, str]:
    """Returns the entry of one data set in `pipeline.retrain_datasets`, if it has one."""
    modes = content["pipeline"]["retrain_datasets"]
    return {name: mode for name, mode in modes.items() if name == dataset}


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
    """Returns one sentence per error: file, key, found value, allowed values."""
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
    """Returns the keys of the section at `location`, from the type annotations of `Params`."""
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
