"""Planted data follow the planted structure, and their floor is the loss of the true labels."""

from __future__ import annotations

import numpy as np
import pytest

from autorec_core.data.synthetic.planted import DIM, FIELDS, NOISE, STRUCTURES, plant
from autorec_core.errors import ConfigError
from autorec_core.evaluation.baselines import predict_biases


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_true_labels_have_the_floor_s_loss_and_biases_a_greater_one(structure):
    made = plant(structure, 20_000, seed=1)
    known, test = made.part(0, 18_000), made.part(18_000, 20_000)
    biases = predict_biases(known, test, made.schema, damping=5.0)

    truth = np.mean(np.square(made.truth - made.rows.label))
    assert truth == pytest.approx(made.floor, rel=0.03)
    assert made.floor == NOISE**2
    assert np.mean(np.square(biases - test.label)) > 1.8 * made.floor


def test_the_planted_pairs_are_the_dot_products_of_all_pairs():
    make = STRUCTURES["fm"](np.random.default_rng(0))
    fields = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])

    assert make(fields) == pytest.approx([11 + 17 + 39])


def test_the_planted_cross_is_products_of_three_and_no_more():
    make = STRUCTURES["cross"](np.random.default_rng(0))
    fields = np.random.default_rng(1).normal(size=(5, FIELDS, DIM))
    scaled = np.array([make(fields * factor) for factor in range(6)])  # a polynomial of the factor

    assert np.abs(np.diff(scaled, 3, axis=0)).min() > 1e-6
    np.testing.assert_allclose(np.diff(scaled, 4, axis=0), 0, atol=1e-9)


def test_the_planted_perceptron_goes_down_in_the_middle_and_up_on_both_sides():
    make = STRUCTURES["mlp"](np.random.default_rng(0))
    fields = np.random.default_rng(1).normal(size=(5, FIELDS, DIM))

    def slope(factor: float) -> np.ndarray:
        return (make(fields * (factor + 0.01)) - make(fields * factor)) / 0.01

    np.testing.assert_allclose(slope(1000), slope(-1000), rtol=1e-6)
    np.testing.assert_allclose(slope(0), -slope(1000), rtol=1e-6)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_seed_decides_everything(structure):
    first, again, other = (plant(structure, 500, seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(first.rows.label, again.rows.label)
    assert not np.array_equal(first.rows.label, other.rows.label)
    assert first.rows.categorical.min() == 1  # 0 stays "unknown"
    assert first.rows.categorical.max() < first.schema.categorical[0].vocabulary_size


def test_an_unknown_structure_is_refused():
    with pytest.raises(ConfigError, match="Known: cross, fm, mlp"):
        plant("tree", 10, seed=1)
