"""Sampled items: never met by the user, seeded by the epoch, with the columns of the item."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from autorec_core.optimizers import RankingOptimizer
from autorec_core.training import Rows
from autorec_core.training import negatives as module
from autorec_core.training.negatives import NEGATIVES, Negatives


def rows(pairs):
    """Rows of user, item, and a genre that belongs to the item."""
    pairs = np.asarray(pairs, np.int32)
    table = np.column_stack([pairs, 10 + pairs[:, 1] % 3]).astype(np.int32)
    return Rows({"categorical": table}, np.ones(len(pairs), np.float32))


def optimizer(**settings):
    return RankingOptimizer(criterion="bpr", **{"per_positive": 3, "by": "uniform"} | settings)


@pytest.mark.parametrize("cells", [module.TABLE_CELLS, 0])
def test_no_user_gets_an_item_that_they_have_met(cells, monkeypatch):
    monkeypatch.setattr(module, "TABLE_CELLS", cells)
    random = np.random.default_rng(0)
    train = rows(random.integers(1, [20, 9], (150, 2)))
    met = {tuple(pair) for pair in train.inputs["categorical"][:, :2].tolist()}

    drawn = Negatives([train], optimizer(), seed=1).draw(train.inputs, 0, 0)

    assert drawn.shape == (150, 3)
    full = {u for u in range(1, 20) if sum(pair[0] == u for pair in met) == 8}
    for (user, _), items in zip(train.inputs["categorical"][:, :2], drawn, strict=True):
        assert user in full or not any((user, item) in met for item in items.tolist())


def test_what_is_drawn_is_a_function_of_seed_and_epoch():
    train = rows([(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)] * 4)
    first, again = (Negatives([train], optimizer(), seed=7) for _ in range(2))

    first.draw(train.inputs, 0, 0)  # another epoch before it changes nothing
    assert (first.draw(train.inputs, 1, 0) == again.draw(train.inputs, 1, 0)).all()
    assert (first.draw(train.inputs, 2, 0) != again.draw(train.inputs, 1, 0)).any()


def test_popular_items_are_drawn_in_proportion_to_their_rows():
    pairs = [(1, 9), *((user, 1) for user in range(2, 32)), *((user, 2) for user in range(32, 42))]
    sampler = Negatives([rows(pairs)], optimizer(per_positive=1000, by="popularity"), seed=2)

    drawn = sampler.draw({"categorical": np.array([[1, 9, 10]])}, 0, 0)

    assert np.mean(drawn == 1) == pytest.approx(0.75, abs=0.04)  # 30 rows against 10
    assert not (drawn == 9).any()


def test_rows_of_sampled_items_have_the_columns_of_the_item_and_else_of_the_row():
    sampler = Negatives([rows([(1, 1), (2, 2), (2, 3)])], optimizer(per_positive=2), seed=0)
    batch = {
        "categorical": tf.constant([[1, 1, 11]]),
        NEGATIVES: tf.constant([[2, 3]]),
    }
    found = sampler.expanded(batch)
    assert found["categorical"].numpy().tolist() == [[1, 1, 11], [1, 2, 12], [1, 3, 10]]


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("bpr", np.log1p(np.exp(1.0 - 2.0))),
        ("cross_entropy", (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2),
        ("softmax", np.log1p(np.exp((1.0 - np.log(0.2)) - (2.0 - np.log(0.1))))),
    ],
)
def test_losses_by_hand(criterion, expected):
    task = RankingOptimizer(criterion=criterion, per_positive=1)
    shares = np.log([[0.1, 0.2]]).astype(np.float32)
    found = task.loss_of_lists(np.array([[2.0, 1.0]], np.float32), shares, np.ones(1, np.float32))
    assert float(found) == pytest.approx(expected, rel=1e-5)
