"""Baselines: what a recommender must beat to be worth its while."""

from __future__ import annotations

import numpy as np

from autorec_core.data.schema import Examples, Schema

DAMPING = 5.0
SWEEPS = 10


def predict_mean(train: Examples, test: Examples) -> np.ndarray:
    """The training labels' mean for every row; float64, shape (test rows,)."""
    return np.full(len(test), np.mean(train.label, dtype=np.float64))


def predict_biases(train: Examples, test: Examples, schema: Schema) -> np.ndarray:
    """Mean plus a bias for each id of every categorical column, clipped to the label range.

    Minimises the squared error plus `DAMPING` times the squared biases by sweeping over the
    columns, each solved exactly given the others (Koren, 2010, baseline estimates). Id 0, unknown,
    has no bias.

    Args:
        train: Encoded training rows.
        test: Encoded rows to predict.
        schema: The schema of both.

    Returns:
        float64 predictions, shape (test rows,).
    """
    mean = float(np.mean(train.label, dtype=np.float64))
    residual = train.label.astype(np.float64) - mean
    biases = [np.zeros(field.vocabulary_size) for field in schema.categorical]
    for _ in range(SWEEPS):
        for column, field in enumerate(schema.categorical):
            ids = train.categorical[:, column]
            residual += biases[column][ids]
            sums = np.bincount(ids, weights=residual, minlength=field.vocabulary_size)
            counts = np.bincount(ids, minlength=field.vocabulary_size)
            biases[column] = sums / (counts + DAMPING)
            biases[column][0] = 0.0
            residual -= biases[column][ids]
    predicted = mean + sum(bias[test.categorical[:, at]] for at, bias in enumerate(biases))
    return np.clip(predicted, *schema.label_range)


def predict_logistic(train: Examples, test: Examples, schema: Schema, seed: int) -> np.ndarray:
    """A logistic regression on one-hot ids and numbers; float64 probabilities, (test rows,).

    Args:
        train: Encoded training rows, labels 0 or 1.
        test: Encoded rows to predict.
        schema: The schema of both.
        seed: Seeds the solver.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, max_iter=300, random_state=seed)
    model.fit(_one_hot(train, schema), train.label)
    return model.predict_proba(_one_hot(test, schema))[:, 1]


def _one_hot(examples: Examples, schema: Schema) -> object:
    """A sparse matrix: a column an id, then the numbers."""
    from scipy import sparse

    rows, fields = len(examples), len(schema.categorical)
    starts = np.concatenate([[0], np.cumsum([f.vocabulary_size for f in schema.categorical])])
    columns = (examples.categorical[:, :fields] + starts[:-1]).reshape(-1)
    ids = sparse.csr_matrix(
        (np.ones(rows * fields, np.float32), columns, np.arange(0, rows * fields + 1, fields)),
        shape=(rows, int(starts[-1])),
    )
    return sparse.hstack([ids, sparse.csr_matrix(examples.numeric)], format="csr")
