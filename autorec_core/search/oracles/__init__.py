"""The search algorithms, each in a file of its own; they propose trials and hear of the results.

They are oracles of KerasTuner, but keep nothing on disk and print nothing: the runner records each
trial, and asks a new oracle the same questions when it resumes. So each is a function of its seed
and of what it has been told.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner

from autorec_core.errors import ConfigError, listed
from autorec_core.search.oracles.base import Identity, RecordedOracle
from autorec_core.search.oracles.bayesian import BayesianOracle
from autorec_core.search.oracles.greedy import GreedyOracle
from autorec_core.search.oracles.halving import HalvingOracle, rungs
from autorec_core.search.oracles.hyperband import HyperbandOracle
from autorec_core.search.oracles.random import RandomOracle
from autorec_core.search.oracles.staged import StagedOracle

__all__ = [
    "BayesianOracle",
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
) -> RecordedOracle:
    """The oracle of an algorithm.

    Args:
        tuner: "random", "greedy", "bayesian", "hyperband", "halving" or "staged".
        space: The whole search space.
        objective: What is best, such as `val_mse`.
        direction: "min" or "max".
        seed: Decides, with what it is told, all that it proposes.
        epochs: The most a trial may train; Hyperband gives most of them fewer.
        evaluations: The most evaluations of a trial, by which halving and staged count; None: one
            an epoch.
        identity: Names what a trial of these values trains. Values whose trials cannot differ have
            the same name, and only one of them is proposed. None: all values differ.

    Raises:
        ConfigError: There is no such algorithm.
    """
    settings: dict[str, Any] = {
        "objective": keras_tuner.Objective(objective, direction),
        "hyperparameters": space.copy(),
        "seed": seed + 1,  # KerasTuner takes 0 for none
        "max_consecutive_failed_trials": _UNLIMITED,  # the runner counts
        "identity": identity,
    }
    makers: dict[str, Callable[[], RecordedOracle]] = {
        "random": lambda: RandomOracle(**settings),
        "greedy": lambda: GreedyOracle(**settings),
        "bayesian": lambda: BayesianOracle(**settings),
        "hyperband": lambda: HyperbandOracle(max_epochs=epochs, **settings),
        "halving": lambda: HalvingOracle(rungs=rungs(evaluations or epochs), **settings),
        "staged": lambda: StagedOracle(rungs=rungs(evaluations or epochs), **settings),
    }
    if tuner not in makers:
        raise ConfigError(f"Unknown tuner {tuner!r}. Known tuners: {listed(makers)}.")
    oracle = makers[tuner]()
    oracle.verbose = 0
    return oracle


def ask(oracle: RecordedOracle, number: int) -> keras_tuner.engine.trial.Trial:
    """The oracle's next trial; its status says whether there is one."""
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
    """Says what became of a trial.

    Args:
        oracle: The oracle that has proposed it.
        trial: The trial, as `ask` gave it.
        score: Its objective; None where it has failed.
        step: The evaluation that the score is of.
        reason: Why it has failed.
        stopped_early: Whether it has ended before its epochs, so that more would change nothing.
        curve: The score after each of its evaluations.
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
    """Keeps quiet that KerasTuner asks threads for their names in an outdated way."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="keras_tuner")
        return entered
