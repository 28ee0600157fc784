"""Similar items: EASE, with the latest items of a user first."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from autorec_core.evaluation.ease import ease_weights, inverse_gram
from autorec_core.evaluation.full_catalogue import pairs_matrix
from autorec_core.mappers.similar_items import FIRST_FACTOR, SimilarItemsMapper, latest_items
from autorec_core.recommender import adapt

USERS, ITEMS = 100, 12


def layer(recency, rows):
    table = keras.Input((2,), name="ids", dtype="int32")
    mapper = SimilarItemsMapper(
        user_column=0,
        item_column=1,
        user_num=USERS + 1,
        item_num=ITEMS + 1,
        l2=2.0,
        recency=recency,
    )
    model = keras.Model(table, mapper.connect([table]))
    adapt(model, {"ids": rows}, np.ones(len(rows), np.float32))
    return model


def rows():
    random = np.random.default_rng(3)
    return random.integers(1, [USERS + 1, ITEMS + 1], (700, 2)).astype(np.int32)


def expected(found, recency):
    """The scores of all users and items, from the definition."""
    met = latest_items(found.astype(np.int64), USERS + 1, ITEMS)
    matrix = pairs_matrix(found, np.arange(USERS + 1), np.arange(ITEMS + 1))
    weights = ease_weights(inverse_gram(matrix, 2.0))
    scores = np.zeros((USERS + 1, ITEMS + 1))
    for user in range(1, USERS + 1):
        items = [item for item in met[user] if item]
        counts = 0.1 + 0.9 * np.exp(-np.arange(len(items)) / recency) if recency else 1.0
        counts = (
            np.broadcast_to(counts, len(items))
            * len(items)
            / np.sum(np.broadcast_to(counts, len(items)))
        )
        scores[user] = sum(c * weights[item] for c, item in zip(counts, items, strict=True))
    return FIRST_FACTOR * scores


@pytest.mark.parametrize("recency", [0, 3])
def test_scores_are_those_of_the_definition_for_few_users_and_for_many(recency):
    found = rows()
    model = layer(recency, found)
    right = expected(found, recency)

    for users in (range(1, 4), range(1, USERS + 1)):  # whole rows of weights, and single ones
        pairs = np.array([(u, i) for u in users for i in range(1, ITEMS + 1)], np.int32)
        scores = np.asarray(model(pairs))[:, 0]
        assert scores == pytest.approx(right[pairs[:, 0], pairs[:, 1]], abs=1e-4)


def test_the_latest_items_come_first_and_each_once():
    pairs = np.array([(1, 5), (2, 1), (1, 3), (1, 5), (1, 2)])
    assert latest_items(pairs, 3, 3).tolist() == [[0, 0, 0], [2, 5, 3], [1, 0, 0]]
    assert latest_items(pairs, 3, 2).tolist() == [[0, 0], [2, 5], [1, 0]]


def test_unknown_users_and_items_score_nothing():
    model = layer(10, rows())
    assert np.asarray(model(np.array([[0, 3], [4, 0]], np.int32))).tolist() == [[0.0], [0.0]]
