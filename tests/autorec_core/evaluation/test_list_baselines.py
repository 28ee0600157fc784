"""The baselines of ranking, and EASE from its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from autorec_core.evaluation.ease import ease_weights, inverse_gram, scores_without_own_row
from autorec_core.evaluation.full_catalogue import UserLists
from autorec_core.evaluation.list_baselines import LIST_BASELINES, fit_baselines


def interactions(users=60, items=24, seed=0):
    """Users of two tastes: each likes one half of the items."""
    random = np.random.default_rng(seed)
    pairs = [
        (user, 1 + item)
        for user in range(1, users + 1)
        for item in np.flatnonzero(random.random(items) < 0.5)
        if (item < items // 2) == (user % 2 == 0)
    ]
    pairs = random.permutation(np.array(pairs))
    ends = len(pairs) * 8 // 10, len(pairs) * 9 // 10
    return np.split(pairs, ends)


def ridge(met, item, l2):
    """The weights of all other items in a ridge regression of one item."""
    others = np.delete(np.arange(met.shape[1]), item)
    left = met[:, others]
    weights = np.zeros(met.shape[1])
    weights[others] = np.linalg.solve(
        left.T @ left + l2 * np.eye(len(others)), left.T @ met[:, item]
    )
    return weights


def test_ease_is_a_ridge_regression_of_each_item_on_the_others():
    met = (np.random.default_rng(1).random((40, 7)) < 0.4).astype(np.float32)
    weights = ease_weights(inverse_gram(csr_array(met), 3.0))
    for item in range(7):
        assert weights[:, item] == pytest.approx(ridge(met, item, 3.0), abs=1e-5)


def test_scores_without_the_own_row_are_those_of_weights_solved_without_the_user():
    met = (np.random.default_rng(2).random((30, 6)) < 0.4).astype(np.float32)
    matrix = csr_array(met)

    found = scores_without_own_row(matrix, inverse_gram(matrix, 2.0))

    for user in (0, 7, 29):
        left = np.delete(met, user, axis=0)
        expected = [met[user] @ ridge(left, item, 2.0) for item in range(6)]
        assert found[user] == pytest.approx(expected, abs=1e-4)


def test_every_baseline_finds_the_tastes_that_popularity_does_not():
    train, valid, test = interactions()
    known = np.concatenate([train, valid])
    lists = UserLists.of(known, test)

    fitted = fit_baselines(train, valid, known, lists, seed=3)

    assert list(fitted) == list(LIST_BASELINES)
    auc = {name: np.nanmean(lists.rankings(one.scores).auc()) for name, one in fitted.items()}
    assert auc["popularity"] < 0.65
    assert min(auc[name] for name in ("item_knn", "als", "ease")) > 0.75
    again = fit_baselines(train, valid, known, lists, 3, [LIST_BASELINES["als"]])["als"]
    assert (again.scores(0, 5) == fitted["als"].scores(0, 5)).all()
    assert again.chosen == fitted["als"].chosen
