"""Training a model that ranks: it learns, and pausing changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from autorec_core import zoo
from autorec_core.data.schema import Field, Sampling, Schema
from autorec_core.search.oracles.points import Points
from autorec_core.search.space import resolved, search_space
from autorec_core.training import Budget, Limits, Rows
from autorec_core.training.loop import train

USERS, ITEMS = 80, 30
SCHEMA = Schema(
    "ranking",
    "interaction",
    (Field("user", USERS + 1), Field("item", ITEMS + 1)),
    (),
    "user",
    "item",
    (1.0, 1.0),
    negatives=Sampling(3, "uniform"),
)


def splits():
    """Users of two tastes: each likes one half of the items."""
    random = np.random.default_rng(4)
    pairs = [
        (user, 1 + item)
        for user in range(1, USERS + 1)
        for item in np.flatnonzero(random.random(ITEMS) < 0.6)
        if (item < ITEMS // 2) == (user % 2 == 0)
    ]
    pairs = random.permutation(np.array(pairs, np.int32))
    parts = np.split(pairs, [len(pairs) * 8 // 10])
    return [Rows({"categorical": part}, np.ones(len(part), np.float32)) for part in parts]


def candidate(name, **changed):
    recommender = zoo.build(name, SCHEMA)
    values = Points(search_space(recommender)).defaults() | changed
    return resolved(recommender, values)


@pytest.fixture(scope="module")
def rows():
    return splits()


@pytest.mark.parametrize("criterion", ["softmax", "bpr", "cross_entropy"])
def test_a_model_without_similar_items_learns_tastes(rows, criterion, monkeypatch):
    monkeypatch.setattr(zoo.extended, "MOST_SIMILAR", 0)
    chosen = candidate("mf", **{"ranking_optimizer_1/criterion": criterion})

    trained = train(chosen, *rows, budget=Budget(epochs=12, patience=12), seed=1)

    assert trained.objective == "val_ndcg@10"
    assert trained.metrics["gauc"] > 0.75
    assert trained.score > trained.constant_score


def test_a_training_that_is_paused_goes_on_to_the_bit(rows):
    chosen, budget = candidate("auto"), Budget(epochs=4, patience=4)
    whole = train(chosen, *rows, budget=budget, seed=2)
    first = train(chosen, *rows, budget=budget, seed=2, limits=Limits(until=2))
    assert first.checkpoint is not None
    second = train(chosen, *rows, budget=budget, seed=2, checkpoint=first.checkpoint)

    plain = [{k: v for k, v in row.items() if k != "seconds"} for row in whole.curve]
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in second.curve] == plain
    for left, right in zip(whole.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
