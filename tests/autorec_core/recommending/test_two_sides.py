"""A model on two sides gives the scores that it gives on rows, whatever its blocks are."""

from __future__ import annotations

import random

import keras
import keras_tuner
import numpy as np
import pytest

from autorec_core import zoo
from autorec_core.data.schema import Field, ListField, Sampling, Schema
from autorec_core.evaluation.item_rows import crossed
from autorec_core.recommender import adapt
from autorec_core.recommending.two_sides import Columns, TwoSides
from autorec_core.search.ensemble import averaged
from autorec_core.search.space import search_space
from autorec_core.training.prediction import predict

USERS, ITEMS = 6, 9
COLUMNS = {"user": USERS + 1, "town": 4, "item": ITEMS + 1, "brand": 5}
OF_ITEMS = {
    "categorical": np.array([False, False, True, True, True, True]),  # the last two are a list
    "numeric": np.array([False, True]),
}


def schema(task: str) -> Schema:
    return Schema(
        task=task,
        label="label",
        categorical=tuple(Field(name, size) for name, size in COLUMNS.items()),
        numeric=("age", "price"),
        user="user",
        item="item",
        label_range=(0.0, 1.0) if task == "ctr" else (-1e5, 1e5),  # nothing is clipped
        lists=(ListField("kinds", 4, 2, "|"),),
        negatives=Sampling(2, "uniform") if task == "ranking" else None,
    )


def sides(seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows of users and of items; the columns of the other side hold nothing of use."""
    generator = np.random.default_rng(seed)
    found = []
    for count in (USERS, ITEMS):
        ids = [generator.integers(0, size, count) for size in (*COLUMNS.values(), 4, 4)]
        ids[0 if count == USERS else 2] = np.arange(1, count + 1)
        numbers = generator.normal(size=(count, 2))
        found.append(
            {"categorical": np.stack(ids, 1).astype("int32"), "numeric": numbers.astype("float32")}
        )
    return found[0], found[1]


def pairs(users, items) -> dict[str, np.ndarray]:
    return {
        name: crossed(users[name], items[name], ~OF_ITEMS[name], OF_ITEMS[name]) for name in users
    }


def with_weights(recommender, rows, labels, seed: int) -> keras.Model:
    """Builds a model whose weights are all far from zero, with histories from a few rows."""
    keras.utils.set_random_seed(seed)
    model = recommender.build(keras_tuner.HyperParameters())
    adapt(model, rows, labels)
    generator = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(generator.normal(scale=0.4, size=weight.shape))
    return model


def compared(model: keras.Model, trained: np.ndarray) -> None:
    """Compares the scores of all pairs with those of rows, except of pairs that were trained on."""
    users, items = sides()
    by_rows = predict(model, pairs(users, items)).reshape(USERS, ITEMS)
    two = TwoSides(model, Columns(OF_ITEMS, 0, 2))

    found = two.scores(users, two.items(items))

    wrong = np.zeros((USERS, ITEMS), bool)
    wrong[two.met_among(users, items)] = True
    assert set(np.flatnonzero(wrong)) <= set(trained)
    assert np.ptp(by_rows) > 0
    np.testing.assert_allclose(found[~wrong], by_rows[~wrong], rtol=2e-4, atol=2e-5)
    part = two.scores({name: rows[2:3] for name, rows in users.items()}, two.items(items))
    np.testing.assert_allclose(part[0], found[2], rtol=2e-4, atol=2e-5)


TRAINED = np.random.default_rng(7).permutation(USERS * ITEMS)[:12]
TASKS = {
    "dcn_v2": "rating",
    "deepfm": "ctr",
    "autorec_rp": "rating",
    "autorec_ranking": "ranking",
    "autorec_ctr": "ctr",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_scores_of_pairs_are_those_of_rows(name):
    users, items = sides()
    rows = {name: array[TRAINED] for name, array in pairs(users, items).items()}
    of = schema(TASKS[name])
    labels = np.resize([1.0, 0.0] if of.task == "ctr" else [1.0, 3.0, 5.0], len(TRAINED))
    space = zoo.build(name, of)
    points = [keras_tuner.HyperParameters()]
    draw, sampled = random.Random(name), keras_tuner.HyperParameters()
    for one in search_space(space).space:
        sampled.merge([one])
        if sampled.is_active(one):
            sampled.values[one.name] = one.random_sample(draw.randrange(2**31))
    points.append(sampled)

    for seed, point in enumerate(points):
        resolved = space.resolve(point)
        compared(with_weights(resolved, rows, labels.astype("float32"), seed), TRAINED)


def test_the_mean_of_several_models_is_one_too():
    users, items = sides()
    rows = {name: array[TRAINED] for name, array in pairs(users, items).items()}
    labels = np.resize([1.0, 3.0, 5.0], len(TRAINED)).astype("float32")
    resolved = zoo.build("autorec_rp", schema("rating")).resolve(keras_tuner.HyperParameters())

    models = [with_weights(resolved, rows, labels, seed) for seed in range(2)]

    compared(averaged(models, resolved), TRAINED)
