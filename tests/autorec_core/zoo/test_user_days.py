"""Models add a bias for the day of a user, and make no vector of it."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pytest

from autorec_core import zoo
from autorec_core.data.schema import Field, Schema

DAYS = 50
SCHEMA = Schema(
    task="rating",
    label="rating",
    categorical=(Field("user", 5), Field("item", 6), Field("user day", DAYS)),
    numeric=("user drift",),
    user="user",
    item="item",
    label_range=(-10.0, 10.0),
    clock="at",
    time_features=(("user_day", "user day"), ("user_drift", "user drift")),
)


@pytest.mark.parametrize("name", ["auto", "mf", "deepfm"])
def test_the_day_of_a_user_has_a_bias_and_no_vector(name):
    model = zoo.build(name, SCHEMA).build(keras_tuner.HyperParameters())
    assert [one.shape for one in model.trainable_weights if DAYS in one.shape] == [(DAYS, 1)]
    random = np.random.default_rng(0)
    for weights in model.trainable_variables:
        weights.assign(random.normal(scale=0.1, size=weights.shape))
    ids = np.array([[1, 2, 0], [1, 2, 7], [1, 2, 8]], np.int32)
    numbers = np.zeros((3, 1), np.float32)
    scores = np.ravel(model({"categorical": ids, "numeric": numbers}))
    assert len(np.unique(scores)) == 3
