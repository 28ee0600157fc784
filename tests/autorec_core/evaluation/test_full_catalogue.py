"""Lists over the full catalogue: without what a user has met, and equal to ranking single rows."""

from __future__ import annotations

import numpy as np
import pytest

from autorec_core.errors import DataError
from autorec_core.evaluation.full_catalogue import UserLists
from autorec_core.metrics import list_metrics, metrics_of
from autorec_core.ranking import Rankings


def test_metrics_equal_those_of_all_single_rows_with_ties_and_without_seen_items():
    random = np.random.default_rng(5)
    known, later = random.integers(1, [30, 20], (300, 2)), random.integers(1, [30, 20], (90, 2))
    lists = UserLists.of(known, later)
    scores = random.integers(0, 6, (len(lists), len(lists.items))).astype(float)

    found = list_metrics("ranking", lists.rankings(lambda first, last: scores[first:last]))

    met = {tuple(pair) for pair in known.tolist()}
    taken = {tuple(pair) for pair in later.tolist()}
    rows = [
        (user, (user, item) in taken, scores[at, place])
        for at, user in enumerate(lists.users.tolist())
        for place, item in enumerate(lists.items.tolist())
        if (user, item) not in met
    ]
    users, positive, of_rows = (np.array(column) for column in zip(*rows, strict=True))
    expected = list_metrics("ranking", Rankings.of(users, positive, of_rows))
    assert found == pytest.approx(expected)
    assert set(found) == {metric.name for metric in metrics_of("ranking")}


def test_rows_of_unknown_users_and_items_and_of_seen_items_do_not_count():
    known = np.array([[1, 1], [1, 2], [2, 1], [2, 3]])
    later = np.array([[1, 3], [1, 1], [2, 0], [0, 2], [3, 2]])

    lists = UserLists.of(known, later)

    assert lists.users.tolist() == [1]
    assert (lists.rows, lists.known_rows, int(lists.taken.sum())) == (5, 2, 1)
    shown = np.zeros((1, 3), int)
    lists.rankings(lambda first, last: np.array([[9.0, 5.0, 1.0]]), shown)
    assert shown.tolist() == [[2, -1, -1]]  # item 3 alone is left


def test_without_a_new_item_there_is_no_list():
    with pytest.raises(DataError, match="no list can be judged"):
        UserLists.of(np.array([[1, 1]]), np.array([[1, 1]]))


def test_scores_that_are_no_numbers_are_refused():
    lists = UserLists.of(np.array([[1, 1], [2, 2]]), np.array([[1, 2]]))
    with pytest.raises(DataError, match="not finite"):
        lists.rankings(lambda first, last: np.full((1, 2), np.nan))
