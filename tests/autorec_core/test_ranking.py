"""Ranking metrics against hand-worked numbers, all orders of ties, and scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from autorec_core.ranking import Rankings, coverage

K = 3


def one(positive, scores) -> Rankings:
    return Rankings.of(np.zeros(len(scores)), np.array(positive), np.array(scores))


def many(seed: int, users: int = 40, levels: int | None = None):
    """Rows of users of different sizes, in any order; with `levels`, many equal scores."""
    random = np.random.default_rng(seed)
    user = random.permutation(np.repeat(np.arange(users), random.integers(2, 30, users)))
    positive = random.random(len(user)) < 0.3
    scores = random.normal(size=len(user))
    return user, positive, scores if levels is None else random.integers(0, levels, len(user))


def by_definition(positive: list[int]) -> dict[str, float]:
    """Every metric of one list in order, from its definition."""
    head, total = positive[:K], sum(positive)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(total, K) + 1))
    hits = [place for place, hit in enumerate(positive, 1) if hit]
    return {
        "ndcg": sum(hit / math.log2(at + 1) for at, hit in enumerate(head, 1)) / ideal,
        "recall": sum(head) / total,
        "precision": sum(head) / K,
        "hit_rate": float(any(head)),
        "average_precision": sum(sum(positive[:place]) / place for place in hits if place <= K)
        / min(total, K),
        "mrr": 1 / hits[0],
    }


def test_metrics_of_one_list_worked_out_by_hand():
    lists = one([0, 1, 0, 1, 1], [9, 8, 7, 6, 5])

    assert lists.precision(3) == pytest.approx([1 / 3])
    assert lists.recall(3) == pytest.approx([1 / 3])
    assert lists.hit_rate(1) == pytest.approx([0])
    assert lists.hit_rate(2) == pytest.approx([1])
    assert lists.mrr() == pytest.approx([1 / 2])
    assert lists.average_precision(4) == pytest.approx([(1 / 2 + 2 / 4) / 3])
    assert lists.average_precision() == pytest.approx([(1 / 2 + 2 / 4 + 3 / 5) / 3])
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert lists.ndcg(3) == pytest.approx([1 / math.log2(3) / ideal])
    assert lists.auc() == pytest.approx([1 / 6])


@pytest.mark.parametrize(
    ("positive", "scores"),
    [
        ([1, 0, 0, 1, 0], [1, 1, 1, 1, 1]),
        ([0, 1, 0, 1, 1], [5, 4, 4, 4, 1]),
        ([0, 0, 1, 0, 1, 0], [3, 3, 2, 2, 2, 1]),
        ([1, 1], [2, 2]),
    ],
)
def test_with_ties_each_metric_is_the_mean_over_all_orders(positive, scores):
    orders = [
        by_definition([positive[at] for at in order])
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    lists = one(positive, scores)

    for name in orders[0]:
        expected = np.mean([order[name] for order in orders])
        metric = getattr(lists, name)
        found = metric() if name == "mrr" else metric(K)
        assert found == pytest.approx([expected]), name


@pytest.mark.parametrize("levels", [None, 4])
def test_ndcg_and_auc_equal_scikit_learn_ties_or_not(levels):
    user, positive, scores = many(1, levels=levels)
    lists = Rankings.of(user, positive, scores)
    ndcg, auc = lists.ndcg(5), lists.auc()

    for at, name in enumerate(lists.users):
        labels, given = positive[user == name], scores[user == name]
        if not labels.any():
            assert np.isnan(ndcg[at])
            continue
        assert ndcg[at] == pytest.approx(ndcg_score([labels.astype(int)], [given], k=5))
        if labels.all():
            assert np.isnan(auc[at])
        else:
            assert auc[at] == pytest.approx(roc_auc_score(labels, given))


def test_average_precision_of_the_whole_list_equals_scikit_learn_without_ties():
    user, positive, scores = many(2)
    lists = Rankings.of(user, positive, scores)
    found = lists.average_precision()

    for at, name in enumerate(lists.users):
        if (labels := positive[user == name]).any():
            assert found[at] == pytest.approx(average_precision_score(labels, scores[user == name]))


def test_coverage_is_the_share_of_items_on_any_list():
    assert coverage(np.array(["a", "b", "a"]), 8) == 0.25
