"""The search algorithms: KerasTuner's oracles, which ask and are told, and a greedy one of ours.

An oracle here keeps nothing on disk and prints nothing: the runner records each trial, and puts
the same questions to a new oracle when it resumes. So each must be a function of its seed and of
what it was told, which KerasTuner's are but for the details mended below.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras_tuner
import numpy as np

from autorec_core.errors import ConfigError, listed
from autorec_core.search.space import defaults

_CANDIDATES = 1000
_NEIGHBOURS = 20
_UNLIMITED = 10**9


class Recorded:
    """Mends an oracle of KerasTuner: first the defaults, then the algorithm; nothing on disk."""

    informed = True
    """Whether what it proposes depends on the results it has been told."""

    def save(self) -> None:
        """Nothing: the runner keeps the records."""

    def _save_trial(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """Nothing: the runner keeps the records."""

    def _random_values(self) -> dict[str, Any] | None:
        first = defaults(self.hyperparameters)  # type: ignore[attr-defined]
        if not self._duplicate(first):  # type: ignore[attr-defined]
            return first
        return super()._random_values()  # type: ignore[misc]


class RandomOracle(Recorded, keras_tuner.oracles.RandomSearchOracle):
    """Random points of the space."""

    informed = False


class HyperbandOracle(Recorded, keras_tuner.oracles.HyperbandOracle):
    """Many candidates with few epochs; the best of them again, from the start, with more.

    It begins with a bracket that fits into a dozen trials, and has none that gives a candidate less
    than a ninth of the epochs.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._current_bracket: int = min(1, self._get_num_brackets() - 1)
        self._brackets: list[dict[str, Any]] = []
        self._start_new_bracket()

    def _get_num_brackets(self) -> int:
        return min(3, super()._get_num_brackets())


class BayesianOracle(Recorded, keras_tuner.oracles.BayesianOptimizationOracle):
    """A Gaussian process of the score, whose lower confidence bound says what to try next.

    The bound is minimised over random points and neighbours of the best trials, of which all are in
    the space, instead of by gradient descent over a box in which most points mean nothing.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial's values."""
        completed = [t for t in self.trials.values() if t.status == "COMPLETED"]
        if len(completed) < self.num_initial_points:
            return self._random_populate_space()
        x, y = self._vectorize_trials()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the kernel's bounds, with few trials
            self.gpr.fit(x, y)
            candidates = self._new_points(np.random.RandomState([self.seed, len(self.trials)]))
            if not candidates:
                return {"status": "STOPPED", "values": None}
            mean, deviation = self.gpr.predict(
                np.array([self._vector(values) for values in candidates]), return_std=True
            )
        best = int(np.argmin(mean - self.beta * deviation))
        return {"status": "RUNNING", "values": candidates[best]}

    def _make_gpr(self) -> Any:
        process = super()._make_gpr()
        return process.set_params(n_restarts_optimizer=2)  # one length scale needs no twenty

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        # Trials without a result are left out: the points tried already are never proposed again.
        told = [t for t in self.trials.values() if t.status == "COMPLETED"]
        sign = -1 if self.objective.direction == "max" else 1
        x = np.array([self._vector(trial.hyperparameters.values) for trial in told])
        return x, np.array([sign * trial.score for trial in told])

    def _new_points(self, random: np.random.RandomState) -> list[dict[str, Any]]:
        points = []
        best = [trial.hyperparameters.values for trial in self.get_best_trials(_NEIGHBOURS)]
        for number in range(_CANDIDATES):
            near = best[random.randint(len(best))] if number % 2 else {}
            changed = 1 + random.randint(3)
            values = sampled(self.hyperparameters, random.randint, near, changed=changed)
            if not self._duplicate(values):
                points.append(values)
        return points

    def _vector(self, values: dict[str, Any]) -> list[float]:
        """The place of a trial in the unit cube; what is not live counts as its default."""
        return [hp.value_to_prob(values.get(hp.name, hp.default)) for hp in self._nonfixed_space()]


class GreedyOracle(Recorded, keras_tuner.Oracle):
    """Changes one group of hyperparameters of the best trial so far, at a time.

    A group is what stands below one point of the hyperparameters' paths: a single one, one block's,
    or one whole interaction's. Small groups are drawn more often: exploitation comes first. When
    `patience` results in a row have not beaten the best of this climb, a new climb starts from a
    random point.

    Args:
        patience: Results without improvement that end a climb.
        **settings: As of every oracle of KerasTuner.

    References:
        The greedy tuner of [AutoKeras](https://jmlr.org/papers/v24/20-1355.html).
    """

    def __init__(self, patience: int = 10, **settings: Any) -> None:
        super().__init__(**settings)
        self._patience = patience
        self._climb = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial's values."""
        if not self.trials:
            return self._answer(self._random_values())
        told = [self.trials[name] for name in self.end_order]
        climb = [t for t in told if int(t.trial_id) >= self._climb]
        completed = [t for t in climb if t.status == "COMPLETED"]
        sign = -1 if self.objective.direction == "max" else 1
        best = min(completed, key=lambda t: sign * t.score, default=None)
        if best is None:
            base = self.trials[f"{self._climb:04d}"]
            stalled = len(climb) > self._patience
        else:
            base = best
            stalled = len(climb) - climb.index(best) > self._patience
        if stalled:
            self._climb = len(self.trials)
            return self._answer(self._random_values())
        random = np.random.RandomState([self.seed, len(self.trials)])
        for _ in range(_CANDIDATES):
            values = self._neighbour(base.hyperparameters, random)
            if not self._duplicate(values):
                return self._answer(values)
        return self._answer(self._random_values())

    def _neighbour(
        self, base: keras_tuner.HyperParameters, random: np.random.RandomState
    ) -> dict[str, Any]:
        groups = _groups([name for name in base.values if self._is_searched(name)])
        weights = np.array([1 / len(names) for names in groups])
        group = groups[random.choice(len(groups), p=weights / weights.sum())] if groups else ()
        return sampled(self.hyperparameters, random.randint, base.values, redrawn=group)

    def _is_searched(self, name: str) -> bool:
        return name in self.hyperparameters._hps

    @staticmethod
    def _answer(values: dict[str, Any] | None) -> dict[str, Any]:
        return {"status": "STOPPED" if values is None else "RUNNING", "values": values}


def sampled(
    space: keras_tuner.HyperParameters,
    draw: Callable[[int], int],
    near: dict[str, Any],
    *,
    redrawn: tuple[str, ...] = (),
    changed: int = 0,
) -> dict[str, Any]:
    """A point of the space: `near` where it has a value, random elsewhere.

    Args:
        space: All hyperparameters.
        draw: Gives a random number below its argument.
        near: Values to keep.
        redrawn: Names whose values are drawn anew all the same.
        changed: How many more names, at random, are drawn anew.
    """
    names = list(near)
    redraw = set(redrawn) | {names[draw(len(names))] for _ in range(changed if names else 0)}
    hp = keras_tuner.HyperParameters()
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            name = hyperparameter.name
            keep = name in near and name not in redraw
            hp.values[name] = near[name] if keep else hyperparameter.random_sample(draw(2**31 - 1))
    return dict(hp.values)


def _groups(names: list[str]) -> list[tuple[str, ...]]:
    """The names below each point of the tree that their paths make, single names included."""
    below: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("/")
        for depth in range(len(parts) + 1):
            below.setdefault("/".join(parts[:depth]), []).append(name)
    distinct = dict.fromkeys(tuple(group) for group in below.values())
    return list(distinct)


def make_oracle(
    tuner: str,
    space: keras_tuner.HyperParameters,
    *,
    objective: str,
    direction: str,
    seed: int,
    epochs: int,
) -> Any:
    """The oracle of an algorithm.

    Args:
        tuner: "random", "greedy", "bayesian" or "hyperband".
        space: The whole search space.
        objective: What is best, such as `val_mse`.
        direction: "min" or "max".
        seed: Decides, with what it is told, all that it proposes.
        epochs: The most a trial may train; Hyperband gives most of them fewer.

    Raises:
        ConfigError: There is no such algorithm.
    """
    settings: dict[str, Any] = {
        "objective": keras_tuner.Objective(objective, direction),
        "hyperparameters": space.copy(),
        "seed": seed + 1,  # KerasTuner takes 0 for none
        "max_consecutive_failed_trials": _UNLIMITED,  # the runner counts
    }
    makers: dict[str, Callable[[], Any]] = {
        "random": lambda: RandomOracle(max_trials=None, **settings),
        "greedy": lambda: GreedyOracle(**settings),
        "bayesian": lambda: BayesianOracle(max_trials=None, num_initial_points=4, **settings),
        "hyperband": lambda: HyperbandOracle(
            max_epochs=epochs, hyperband_iterations=_UNLIMITED, **settings
        ),
    }
    if tuner not in makers:
        raise ConfigError(f"Unknown tuner {tuner!r}. Known tuners: {listed(makers)}.")
    oracle = makers[tuner]()
    oracle.verbose = 0
    return oracle


def ask(oracle: Any, number: int) -> keras_tuner.engine.trial.Trial:
    """The oracle's next trial; its status says whether there is one."""
    with _quiet():
        return oracle.create_trial(f"trial-{number}")


def tell(oracle: Any, trial: Any, *, score: float | None, step: int, reason: str | None) -> None:
    """What became of a trial; without a score it has failed."""
    with _quiet():
        if score is not None:
            oracle.update_trial(trial.trial_id, {oracle.objective.name: score}, step=step)
        trial.status = "FAILED" if score is None else "COMPLETED"
        trial.message = reason
        oracle.end_trial(trial)


class _quiet(warnings.catch_warnings):  # noqa: N801 - a context manager by its use
    """Keeps quiet that KerasTuner asks threads for their names in an outdated way."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="keras_tuner")
        return entered
