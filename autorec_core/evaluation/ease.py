"""EASE: a linear model of each item given the other items of a user, solved in one step."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits


def inverse_gram(met: csr_array, l2: float) -> np.ndarray:
    """Computes the inverse of the regularised matrix of the items that users have met together.

    Args:
        met: 1 where a user has met an item, shape (users, items).
        l2: The strength of regularisation.

    Returns:
        float64, shape (items, items), the same for any number of processors.
    """
    gram = (met.T @ met).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += l2
    with threadpool_limits(1, "blas"):
        found: np.ndarray = np.linalg.inv(gram)
    return found


def ease_weights(inverse: np.ndarray) -> np.ndarray:
    """Computes the weights of EASE from what `inverse_gram` returns.

    Returns:
        float32, shape (items, items): the weight of a met item (row) in an item's score (column),
        zero on the diagonal.

    References:
        [Steck, 2019](https://doi.org/10.1145/3308558.3313710)
    """
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32)


def scores_without_own_row(met: csr_array, inverse: np.ndarray) -> np.ndarray:
    """Computes each user's scores as if the weights had been solved without this user.

    Scores of the rows that weights were solved from are too good. A model that is trained on top of
    them would trust them too much. Without a user's own row, a ridge regression predicts
    `(score - h * met) / (1 - h)`, where `h` is the leverage of the row.

    Args:
        met: 1 where a user has met an item, shape (users, items).
        inverse: What `inverse_gram` returns.

    Returns:
        float32, shape (users, items).

    References:
        [Cook, 1977](https://doi.org/10.2307/1268249)
    """
    with threadpool_limits(1, "blas"):
        sums = np.asarray(met @ inverse)
    own = met.toarray()
    diagonal = np.diag(inverse)
    scores = own - sums / diagonal
    leverage = np.asarray(met.multiply(sums).sum(axis=1)).reshape(-1, 1)
    leverage = np.clip(leverage - np.square(sums) / diagonal, 0.0, 0.99)
    found: np.ndarray = ((scores - leverage * own) / (1 - leverage)).astype(np.float32)
    return found
