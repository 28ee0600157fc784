"""The search algorithms, each in a file of its own. They propose trials and are told the results.

They are oracles of KerasTuner, but they write no file and print nothing. The runner records each
trial. When it resumes a search, it asks a new oracle in the same order. So the proposals of an
oracle depend only on its seed and on the results that it was told.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner

from autorec_core.errors import ConfigError, listed
from autorec_core.search.oracles.base import Identity, RecordedOracle
from autorec_core.search.oracles.bayesian import BayesianOracle
from autorec_core.search.oracles.given import GivenOracle
from autorec_core.search.oracles.greedy import GreedyOracle
from autorec_core.search.oracles.halving import HalvingOracle, rungs
from autorec_core.search.oracles.hyperband import HyperbandOracle
from autorec_core.search.oracles.random import RandomOracle
from autorec_core.search.oracles.staged import StagedOracle

__all__ = [
    "BayesianOracle",
    "GivenOracle",
    "GreedyOracle",
    "HalvingOracle",
    "HyperbandOracle",
    "RandomOracle",
    "RecordedOracle",
    "StagedOracle",
    "ask",
    "make_oracle",
    "tell",
]

_UNLIMITED = 10**9


def make_oracle(
    tuner: str,
    space: keras_tuner.HyperParameters,
    *,
    objective: str,
    direction: str,
    seed: int,
    epochs: int,
    evaluations: int | None = None,
    identity: Identity | None = None,
    first: Sequence[Mapping[str, Any]] = (),
) -> RecordedOracle:
    """Makes the oracle of an algorithm.

    Args:
        tuner: "random", "greedy", "bayesian", "hyperband", "halving", "staged" or "given".
        space: The whole search space.
        objective: The name of what is optimised, such as `val_mse`.
        direction: "min" or "max".
        seed: The seed of all proposals.
        epochs: The largest number of epochs of a trial; Hyperband gives most trials fewer.
        evaluations: The largest number of evaluations of a trial, by which halving and staged
            count; None for one per epoch.
        identity: Names what a trial with given values trains. If two trials cannot differ, they
            have the same name, and only one of them is proposed. None if all values differ.
        first: Values to try right after the defaults; "given" tries these alone.

    Raises:
        ConfigError: There is no such algorithm.
    """
    settings: dict[str, Any] = {
        "objective": keras_tuner.Objective(objective, direction),
        "hyperparameters": space.copy(),
        "seed": seed + 1,  # for KerasTuner 0 means no seed
        "max_consecutive_failed_trials": _UNLIMITED,  # the runner counts
        "identity": identity,
        "first": first,
    }
    makers: dict[str, Callable[[], RecordedOracle]] = {
        "random": lambda: RandomOracle(**settings),
        "greedy": lambda: GreedyOracle(**settings),
        "bayesian": lambda: BayesianOracle(**settings),
        "hyperband": lambda: HyperbandOracle(max_epochs=epochs, **settings),
        "halving": lambda: HalvingOracle(rungs=rungs(evaluations or epochs), **settings),
        "staged": lambda: StagedOracle(rungs=rungs(evaluations or epochs), **settings),
        "given": lambda: GivenOracle(**settings),
    }
    if tuner not in makers:
        raise ConfigError(f"Unknown tuner {tuner!r}. Known tuners: {listed(makers)}.")
    oracle = makers[tuner]()
    oracle.verbose = 0
    return oracle


def ask(oracle: RecordedOracle, number: int) -> keras_tuner.engine.trial.Trial:
    """Asks the oracle for its next trial. The status of the answer says whether there is one."""
    with _quiet():
        return oracle.create_trial(f"trial-{number}")


def tell(
    oracle: RecordedOracle,
    trial: keras_tuner.engine.trial.Trial,
    *,
    score: float | None,
    step: int,
    reason: str | None,
    stopped_early: bool = False,
    curve: Sequence[float] = (),
) -> None:
    """Tells the oracle the result of a trial.

    Args:
        oracle: The oracle that proposed the trial.
        trial: The trial, as `ask` returned it.
        score: The objective; None if the trial failed.
        step: The number of the evaluation with this score.
        reason: Why the trial failed.
        stopped_early: Whether training stopped before the last epoch, so that a longer training
            would change nothing.
        curve: The score after each evaluation.
    """
    with _quiet():
        if score is not None:
            oracle.update_trial(trial.trial_id, {oracle.objective.name: score}, step=step)
        oracle.curves[trial.trial_id] = tuple(curve)
        if stopped_early:
            oracle.stopped_early.add(trial.trial_id)
        trial.status = "FAILED" if score is None else "COMPLETED"
        trial.message = reason
        oracle.end_trial(trial)


class _quiet(warnings.catch_warnings):  # noqa: N801 - a context manager by its use
    """Hides the warning that KerasTuner uses an outdated way to get the names of threads."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="keras_tuner")
        return entered
