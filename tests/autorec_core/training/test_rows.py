"""Rows are checked against each other and the model, and stored for other processes."""

import numpy as np
import pytest
from small_training import TRAIN, recommender

from autorec_core.errors import DataError
from autorec_core.training import Rows


def test_arrays_must_be_of_one_length():
    with pytest.raises(DataError, match="'ids' has 3 rows, but there are 2 labels"):
        Rows({"ids": np.zeros((3, 2), np.int32)}, np.zeros(2, np.float32))


def test_no_rows_are_an_error():
    with pytest.raises(DataError, match="no rows"):
        Rows({"ids": np.zeros((0, 2), np.int32)}, np.zeros(0, np.float32))


def test_what_a_user_has_is_checked_against_the_inputs():
    model = recommender()
    assert Rows.of(model, np.zeros((3, 2)), [1, 2, 3]).inputs["ids"].dtype == np.int32
    with pytest.raises(DataError, match=r"needs shape \(rows, 2\). Received: \(3, 4\)"):
        Rows.of(model, np.zeros((3, 4)), [1, 2, 3])
    with pytest.raises(DataError, match=r"inputs are ids\. Received arrays: users"):
        Rows.of(model, {"users": np.zeros((3, 2))}, [1, 2, 3])
    with pytest.raises(DataError, match="NaN"):
        Rows.of(model, np.zeros((2, 2)), [1, np.nan])


def test_rows_survive_the_way_over_disk(tmp_path):
    opened = TRAIN.save(tmp_path / "rows").open()
    np.testing.assert_array_equal(opened.inputs["ids"], TRAIN.inputs["ids"])
    np.testing.assert_array_equal(opened.labels, TRAIN.labels)


def test_rows_that_lie_on_disk_are_not_written_again(tmp_path):
    opened = TRAIN.save(tmp_path / "rows").open()
    assert opened.save(tmp_path / "again").open().inputs["ids"].shape == (600, 2)
    assert not (tmp_path / "again").exists()


def test_a_part_of_mapped_rows_is_not_taken_for_the_whole(tmp_path):
    opened = TRAIN.save(tmp_path / "rows").open()
    part = Rows({"ids": opened.inputs["ids"][100:]}, opened.labels[100:])
    again = part.save(tmp_path / "again").open()
    np.testing.assert_array_equal(again.labels, TRAIN.labels[100:])
    np.testing.assert_array_equal(again.inputs["ids"], TRAIN.inputs["ids"][100:])
