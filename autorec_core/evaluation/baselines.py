"""Baselines: simple models that a recommender must beat.

The strength of regularisation is chosen on the valid rows, as for a recommender. A baseline that is
not tuned would make the recommender look better than it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any

import numpy as np

from autorec_core.data.schema import Examples, Schema
from autorec_core.evaluation.choosing import choose
from autorec_core.metrics import ce, mse

SWEEPS = 10
DAMPINGS = tuple(5.0 * 2.0 ** (step / 4) for step in range(-24, 41))
INVERSE_STRENGTHS = tuple(10.0 ** (step / 16) for step in range(-64, 65))


@dataclass(frozen=True)
class Splits:
    """The encoded rows that a baseline is trained on, and the rows that it predicts.

    Args:
        train: The training rows.
        valid: The rows on which regularisation is chosen.
        test: The rows to predict; their labels are not read.
        schema: The schema of all three.
        seed: The seed of solvers.
        refit: Whether to train on valid rows too, after regularisation is chosen.
    """

    train: Examples
    valid: Examples
    test: Examples
    schema: Schema
    seed: int
    refit: bool

    @cached_property
    def known(self) -> Examples:
        """The rows of the final fit."""
        return Examples.joined(self.train, self.valid) if self.refit else self.train


@dataclass(frozen=True)
class Prediction:
    """The predictions of a baseline.

    Args:
        scores: Predictions of the test rows, float64, shape (rows,).
        chosen: The settings that were chosen on the valid rows, by name.
    """

    scores: np.ndarray
    chosen: Mapping[str, float] = dataclass_field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A simple model that recommenders are compared with.

    Args:
        name: Its name in files.
        title: Its name in reports.
        tasks: The tasks it is for: "rating", "ctr".
        predict: Trains the baseline and predicts the test rows.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    predict: Callable[[Splits], Prediction]


def predict_mean(train: Examples, test: Examples) -> np.ndarray:
    """Predicts the mean of the training labels for every row; float64, shape (test rows,)."""
    return np.full(len(test), np.mean(train.label, dtype=np.float64))


def predict_biases(
    train: Examples, test: Examples, schema: Schema, *, damping: float
) -> np.ndarray:
    """Predicts the mean plus a bias for each id, clipped to the label range.

    It minimises the squared error plus `damping` times the squared biases. It solves one column
    after the other, exactly and given the others (Koren, 2010, baseline estimates), several times.
    Id 0, unknown, has no bias.

    Args:
        train: Encoded training rows.
        test: Encoded rows to predict.
        schema: The schema of both.
        damping: The strength of regularisation.

    Returns:
        float64 predictions, shape (test rows,).
    """
    mean = float(np.mean(train.label, dtype=np.float64))
    residual = train.label.astype(np.float64) - mean
    biases = [np.zeros(field.vocabulary_size) for field in schema.categorical]
    for _ in range(SWEEPS):
        for column, one in enumerate(schema.categorical):
            ids = train.categorical[:, column]
            residual += biases[column][ids]
            sums = np.bincount(ids, weights=residual, minlength=one.vocabulary_size)
            counts = np.bincount(ids, minlength=one.vocabulary_size)
            biases[column] = sums / (counts + damping)
            biases[column][0] = 0.0
            residual -= biases[column][ids]
    predicted = mean + sum(bias[test.categorical[:, at]] for at, bias in enumerate(biases))
    return np.asarray(np.clip(np.broadcast_to(predicted, len(test)), *schema.label_range))


def predict_logistic(
    train: Examples, test: Examples, schema: Schema, seed: int, *, inverse_strength: float
) -> np.ndarray:
    """Predicts by logistic regression on one-hot ids and numbers.

    Args:
        train: Encoded training rows, labels 0 or 1.
        test: Encoded rows to predict.
        schema: The schema of both.
        seed: The solver's seed.
        inverse_strength: The inverse strength of L2 regularisation: scikit-learn's `C`.

    Returns:
        float64 probabilities, shape (test rows,).
    """
    model = _logistic_model(seed)
    _fit(model, _one_hot(train, schema), train.label, inverse_strength)
    return np.asarray(model.predict_proba(_one_hot(test, schema))[:, 1])


def _mean(splits: Splits) -> Prediction:
    return Prediction(predict_mean(splits.known, splits.test))


def _biases(splits: Splits) -> Prediction:
    train, valid, schema = splits.train, splits.valid, splits.schema

    def valid_loss(damping: float) -> float:
        return mse(valid.label, predict_biases(train, valid, schema, damping=damping))

    damping = choose(DAMPINGS, 5.0, valid_loss)
    scores = predict_biases(splits.known, splits.test, schema, damping=damping)
    return Prediction(scores, {"damping": damping})


def _logistic(splits: Splits) -> Prediction:
    if len(np.unique(splits.train.label)) < 2:
        return _mean(splits)  # a logistic regression needs two classes
    train, valid, schema = splits.train, splits.valid, splits.schema
    model, features = _logistic_model(splits.seed), _one_hot(train, schema)
    held_out = _one_hot(valid, schema)

    def valid_loss(inverse_strength: float) -> float:
        _fit(model, features, train.label, inverse_strength)
        return ce(valid.label, model.predict_proba(held_out)[:, 1])

    chosen = choose(INVERSE_STRENGTHS, 1.0, valid_loss)
    scores = predict_logistic(
        splits.known, splits.test, schema, splits.seed, inverse_strength=chosen
    )
    return Prediction(scores, {"C": chosen})


BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline("mean", "predict the mean", ("rating", "ctr"), _mean),
        Baseline("bias", "user and item biases", ("rating",), _biases),
        Baseline("logistic", "logistic regression", ("ctr",), _logistic),
    )
}
"""All baselines by name. A new one is added here and nowhere else."""


def baselines_of(task: str) -> list[Baseline]:
    """Returns the baselines of a task ("rating" or "ctr")."""
    return [baseline for baseline in BASELINES.values() if task in baseline.tasks]


def _logistic_model(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    # On sparse ids this solver reaches the optimum where lbfgs stops early or is very slow. It also
    # regularises the intercept; scaling by 10 makes that negligible.
    return LogisticRegression(
        solver="liblinear", intercept_scaling=10.0, max_iter=300, random_state=seed
    )


def _fit(model: Any, features: Any, labels: np.ndarray, inverse_strength: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # A fit that stops early is a candidate like any other: the valid loss judges it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(C=inverse_strength).fit(features, labels.astype(np.float64))


def _one_hot(examples: Examples, schema: Schema) -> Any:
    """Makes the solver's sparse float64 matrix: one column for each id, then the numbers."""
    from scipy import sparse

    rows, fields = len(examples), len(schema.categorical)
    starts = np.concatenate([[0], np.cumsum([f.vocabulary_size for f in schema.categorical])])
    columns = (examples.categorical[:, :fields] + starts[:-1]).reshape(-1)
    ids = sparse.csr_matrix(
        (np.ones(rows * fields), columns, np.arange(0, rows * fields + 1, fields)),
        shape=(rows, int(starts[-1])),
    )
    return sparse.hstack(
        [ids, sparse.csr_matrix(examples.numeric.astype(np.float64))], format="csr"
    )
