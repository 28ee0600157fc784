"""All settings of a search as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autorec_core.errors import ConfigError, listed
from autorec_core.training import Budget

_LEAST = {"max_trials": 1, "max_failures": 1, "seed": 0, "workers": 0}


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How to search.

    Args:
        tuner: "random", "greedy", "bayesian", "hyperband", "halving" or "staged"; or "given",
            which trains the candidates of `first` alone.
        first: Hyperparameters to try right after the defaults, such as those of earlier winners.
            What the search space does not have becomes the nearest number or the default.
        objective: What to optimise, such as `val_mse`; None for the default of the task.
        max_trials: The largest number of trials. A larger number than before continues a finished
            search.
        max_epochs: No trial starts or continues when the trials have trained this many epochs
            together; None for no limit. One trial always runs.
        prune: Whether bad trials are stopped early; see `MedianRule`. It has no effect on
            Hyperband, halving and staged, which decide themselves how long a trial trains.
        seconds: No trial starts or continues after this time; None for no limit. The time of
            earlier, interrupted runs counts. One trial always runs.
        max_failures: The search ends with an error after this many failed trials in a row.
        workers: How many trials run at the same time, each in its own process. 0 runs them in this
            process; None means one for each processor or Dask worker.
        address: The address of the Dask scheduler whose workers run the trials; None for this
            machine.
        seed: The seed of the proposals and of the training of every candidate.
        budget: How long a candidate may train.

    Raises:
        ConfigError: A value that is not allowed.
    """

    tuner: str = "random"
    first: tuple[Mapping[str, Any], ...] = ()
    objective: str | None = None
    max_trials: int = 10
    max_epochs: int | None = None
    seconds: float | None = None
    prune: bool = False
    max_failures: int = 3
    workers: int | None = None
    address: str | None = None
    seed: int = 0
    budget: Budget = field(default_factory=lambda: Budget(epochs=10, patience=1))

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not (value is None and name == "workers"):
                check_whole(name, value, least)
        if self.max_epochs is not None:
            check_whole("max_epochs", self.max_epochs, 1)
        if not all(isinstance(values, Mapping) for values in self.first):
            raise ConfigError(
                f"`first` holds hyperparameters by name, one mapping for each candidate. Received: "
                f"{self.first!r}."
            )
        if self.tuner == "given" and not self.first:
            raise ConfigError("The tuner 'given' trains the candidates of `first`, which is empty.")
        if not isinstance(self.prune, bool):
            raise ConfigError(f"`prune` must be True or False. Received: {self.prune!r}.")
        check_whole("epochs", self.budget.epochs, 1)
        check_whole("patience", self.budget.patience, 1)
        if not (self.address is None or isinstance(self.address, str)):
            raise ConfigError(
                "`address` must be the address of a Dask scheduler, or None. "
                f"Received: {self.address!r}."
            )
        seconds = self.seconds
        if seconds is not None and not (_is_number(seconds) and seconds > 0):
            raise ConfigError(f"`seconds` must be above 0, or None. Received: {seconds!r}.")

    @property
    def prunes(self) -> bool:
        """Whether this search prunes trials."""
        return self.prune and self.tuner in ("random", "greedy", "bayesian")

    def changed(self, **changes: Any) -> SearchSettings:
        """Returns these settings with some of them changed.

        Raises:
            ConfigError: There is no such setting, or its value is not allowed.
        """
        for name in changes:
            if name not in self.names():
                raise ConfigError(
                    f"A search has no setting {name!r}. Settings: {listed(self.names())}."
                )
        return dataclasses.replace(self, **changes)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Returns the names of all settings."""
        return tuple(one.name for one in dataclasses.fields(cls))


def check_whole(name: str, value: Any, least: int) -> None:
    """Checks that a setting is a whole number of at least `least`.

    Raises:
        ConfigError: It is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(
            f"`{name}` must be a whole number of at least {least}. Received: {value!r}."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
