"""All settings of a search as one object."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from autorec_core.errors import ConfigError, listed
from autorec_core.training import Budget

_LEAST = {"max_trials": 1, "max_failures": 1, "seed": 0, "workers": 0}


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How a search goes about it.

    Args:
        tuner: "random", "greedy", "bayesian", "hyperband", "halving" or "staged".
        objective: What is best, such as `val_mse`; None for the task's own.
        max_trials: At most so many trials; more than before continue a finished search.
        max_epochs: No trial starts or goes on once the trials have trained this many epochs in all;
            None for no limit. One trial is always run.
        prune: Whether hopeless trials are stopped; see `MedianRule`. Hyperband, halving and staged
            decide themselves how long a trial trains, and take no notice.
        seconds: No trial starts or goes on later than this after the search's begin, runs that were
            interrupted included; None for no limit. One trial is always run.
        max_failures: Failed trials in a row that end the search.
        workers: Trials at a time, each in a process of its own; 0 runs them in this process, None
            is one a processor, or one a Dask worker.
        address: The address of the Dask scheduler whose workers run the trials, None for this
            machine.
        seed: Decides what is tried, and every candidate's training.
        budget: How long a candidate may train.

    Raises:
        ConfigError: A value that is not allowed.
    """

    tuner: str = "random"
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
        if not isinstance(self.prune, bool):
            raise ConfigError(f"`prune` is True or False. Received: {self.prune!r}.")
        check_whole("epochs", self.budget.epochs, 1)
        check_whole("patience", self.budget.patience, 1)
        if not (self.address is None or isinstance(self.address, str)):
            raise ConfigError(
                f"`address` is that of a Dask scheduler, or None. Received: {self.address!r}."
            )
        seconds = self.seconds
        if seconds is not None and not (_is_number(seconds) and seconds > 0):
            raise ConfigError(f"`seconds` is a number above 0, or None. Received: {seconds!r}.")

    @property
    def prunes(self) -> bool:
        """Whether trials are pruned."""
        return self.prune and self.tuner in ("random", "greedy", "bayesian")

    def changed(self, **changes: Any) -> SearchSettings:
        """These settings with some of them changed.

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
        """The names of all settings."""
        return tuple(one.name for one in dataclasses.fields(cls))


def check_whole(name: str, value: Any, least: int) -> None:
    """Checks that a setting is a whole number of at least `least`.

    Raises:
        ConfigError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"`{name}` is a whole number of at least {least}. Received: {value!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
