"""The best of many scores: exact, and of equal scores the first."""

from __future__ import annotations

import numpy as np

from autorec_core.recommending.top import best

NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_of_equal_scores_the_first_place_stands_first():
    scores = np.array([[1, 3, 3, -0.0, 0.0, 3], [-2, -1, -3, -1, -2, -3]], np.float32)

    places, counted = best(scores, NOTHING, 5)

    assert places.tolist() == [[1, 2, 5, 0, 3], [1, 3, 0, 4, 2]]
    assert counted.all()


def test_it_equals_sorting_all_scores_without_those_excluded():
    random = np.random.default_rng(3)
    scores = random.integers(-4, 5, (30, 50)).astype(np.float32) / 4
    rows, places = np.nonzero(random.random(scores.shape) < 0.4)

    found, counted = best(scores, (rows, places), 10)

    for row, line in enumerate(scores):
        left = [at for at in range(50) if at not in set(places[rows == row])]
        expected = sorted(left, key=lambda at: (-line[at], at))[:10]
        assert found[row][counted[row]].tolist() == expected


def test_a_user_with_too_few_items_left_gets_fewer():
    scores = np.array([[1, 2, 3], [1, 2, 3]], np.float32)

    places, counted = best(scores, (np.array([0, 0]), np.array([2, 1])), 2)

    assert counted.tolist() == [[True, False], [True, True]]
    assert places[counted].tolist() == [0, 2, 1]
