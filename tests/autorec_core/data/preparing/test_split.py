"""Splits are exact and depend only on the rows and the seed."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorec_core.data.preparing.split import (
    stratified_sample,
    stratified_split,
    time_split,
    user_split,
)
from autorec_core.errors import DataError

RATIOS = [0.8, 0.1, 0.1]


def test_each_label_is_split_8_1_1():
    labels = np.repeat([1.0, 2.0, 3.0], [100, 20, 13])
    parts = stratified_split(labels, RATIOS, seed=1)

    counts = [np.bincount(parts[labels == label]).tolist() for label in (1.0, 2.0, 3.0)]
    # 13 rows are 10.4 + 1.3 + 1.3: floors 10, 1, 1, and the one left goes to the .4.
    assert counts == [[80, 10, 10], [16, 2, 2], [11, 1, 1]]


def test_the_split_is_a_function_of_the_seed():
    labels = np.repeat([0.0, 1.0], 50)

    first, again, other = (stratified_split(labels, RATIOS, seed) for seed in (1, 1, 2))

    assert (first == again).all()
    assert (first != other).any()


@hypothesis.settings(deadline=None, derandomize=True)
@given(
    counts=st.lists(st.integers(3, 60), min_size=1, max_size=4),
    train=st.floats(0.1, 0.8),
    seed=st.integers(0, 5),
)
def test_no_part_is_further_than_one_row_from_its_share_of_any_label(counts, train, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    ratios = [train, (1 - train) / 2, (1 - train) / 2]
    parts = stratified_split(labels, ratios, seed)

    for label, count in enumerate(counts):
        found = np.bincount(parts[labels == label], minlength=3)
        assert found.sum() == count
        assert (np.abs(found - np.array(ratios) * count) < 1).all()


def test_a_label_with_fewer_rows_than_parts_is_refused():
    with pytest.raises(DataError, match="The label 5 has 2 rows; a stratified split needs"):
        stratified_split(np.array([1.0] * 10 + [5.0] * 2), RATIOS, seed=1)


def test_by_time_the_newest_rows_are_for_test():
    times = np.array([5, 1, 9, 3, 7, 2, 8, 4, 6, 0])

    parts = time_split(times, RATIOS)

    assert parts[times == 9] == [2]
    assert parts[times == 8] == [1]
    assert (parts[times < 8] == 0).all()


def test_by_user_the_last_row_is_for_test_and_the_one_before_for_valid():
    users = np.array([7, 7, 7, 7, 8, 8, 9, 9, 9])
    times = np.array([4, 1, 3, 2, 1, 2, 5, 5, 1])

    assert user_split(users, times).tolist() == [2, 0, 1, 0, 0, 0, 1, 2, 0]
    assert user_split(users, None).tolist() == [0, 0, 1, 2, 0, 0, 0, 1, 2]


def test_by_user_needs_a_user_with_three_rows():
    with pytest.raises(DataError, match="No user has three rows"):
        user_split(np.array([1, 1, 2]), None)


def test_a_sample_keeps_the_shares_of_the_labels():
    labels = np.repeat([0, 1], [900, 100])

    chosen = stratified_sample(labels, 50, seed=3)

    assert np.bincount(labels[chosen]).tolist() == [45, 5]
    assert (chosen == stratified_sample(labels, 50, seed=3)).all()
    assert stratified_sample(labels, 5000, seed=3).all()
