"""Tests interactors with numbers that are worked out by hand."""

import numpy as np
import pytest
from block_models import model_of, value_of

import autorec_core as ar
from autorec_core.interactors.self_attention import FieldAttention

A, B, C = (np.array([row], "float32") for row in ([1, 2, 3], [4, 5, 6], [1, 1, 2]))
PAIRS = np.array([[[1, 2], [3, 4], [5, 6]]], "float32")


def test_concatenate():
    assert value_of(ar.ConcatenateInteraction(), A, B).tolist() == [[1, 2, 3, 4, 5, 6]]


def test_inner_product():
    assert value_of(ar.InnerProductInteraction(), A, B).tolist() == [[32]]
    assert value_of(ar.InnerProductInteraction(), A, B, C).tolist() == [[50]]


def test_pairwise_dots():
    assert value_of(ar.PairwiseDotInteraction(), A, B, C).tolist() == [[32, 9, 21]]
    assert value_of(ar.PairwiseDotInteraction(), A).tolist() == [[0]]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("sum", [5, 7, 9]),
        ("average", [2.5, 3.5, 4.5]),
        ("multiply", [4, 10, 18]),
        ("max", [4, 5, 6]),
        ("min", [1, 2, 3]),
    ],
)
def test_elementwise(operation, expected):
    assert value_of(ar.ElementwiseInteraction(operation=operation), A, B).tolist() == [expected]


def test_factorisation_machine():
    machine = ar.FMInteraction(embedding_dim=0)
    assert value_of(machine, PAIRS).tolist() == [[67]]
    assert value_of(machine, *(PAIRS[:, field] for field in range(3))).tolist() == [[67]]
    assert value_of(machine, PAIRS[:, :1]).tolist() == [[0]]


def test_cross_network_without_weights_is_its_input():
    model = model_of(ar.CrossNetInteraction(num_layers=3), A)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    assert np.asarray(model([A])).tolist() == A.tolist()


def test_cross_network_of_ones():
    model = model_of(ar.CrossNetInteraction(num_layers=1), A)
    model.set_weights([np.ones((3, 1)), np.zeros(3)])
    assert np.asarray(model([A])).tolist() == [[7, 14, 21]]


class TestSelfAttention:
    block = ar.SelfAttentionInteraction(
        embedding_dim=0, attention_dim=2, num_heads=1, num_layers=1, use_residual=False
    )

    def test_without_questions_every_field_is_the_mean_of_the_values(self):
        model = model_of(self.block, PAIRS)
        query, key, value = (
            np.array(w) for w in ([[0, 0], [0, 0]], [[0, 0], [0, 0]], [[1, 2], [3, 4]])
        )
        model.set_weights([query, key, value])
        mean = (PAIRS[0] @ value).mean(axis=0)
        np.testing.assert_allclose(model([PAIRS]), [np.tile(mean, 3)], rtol=1e-6)

    @pytest.mark.parametrize("residual", [True, False])
    def test_the_output_changes_with_every_attention_weight(self, residual):
        layer = FieldAttention(2, 2, residual)
        x = np.random.default_rng(1).normal(size=(4, 3, 2)).astype("float32")
        before = np.asarray(layer(x))
        assert before.shape == (4, 3, 4)
        assert len(layer.weights) == (4 if residual else 3)
        for weight in layer.weights:
            kept = weight.numpy()
            for place in np.ndindex(*kept.shape):
                changed = kept.copy()
                changed[place] += 0.5
                weight.assign(changed)
                assert np.abs(np.asarray(layer(x)) - before).max() > 1e-5
            weight.assign(kept)

    def test_the_output_is_not_the_input(self):
        model = model_of(self.block, PAIRS)
        assert np.abs(np.asarray(model([PAIRS])) - PAIRS.reshape(1, 6)).max() > 0.1


class TestShapes:
    """The output shapes of the thesis' blocks have."""

    @staticmethod
    def shape(block, *shapes):
        return model_of(block, *(np.zeros((1, *shape), "float32") for shape in shapes)).output_shape

    def test_two_vectors(self):
        assert self.shape(ar.ConcatenateInteraction(), (64,), (64,)) == (None, 128)

    @pytest.mark.parametrize(
        ("block", "width"),
        [
            (ar.ConcatenateInteraction(), 156),
            (ar.ElementwiseInteraction(operation="average"), 52),
            (ar.FMInteraction(embedding_dim=8), 1),
            (ar.FMInteraction(embedding_dim=0), 1),
            (ar.InnerProductInteraction(), 1),
            (ar.PairwiseDotInteraction(), 39 * 38 // 2),
            (ar.BilinearInteraction(form="all"), 39 * 38 // 2 * 4),
            (ar.TwoStreamInteraction(units=8, num_layers=1, dropout_rate=0.0, num_heads=2), 1),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_two_tables(self, block, width):
        assert self.shape(block, (26, 4), (13, 4)) == (None, width)


def test_random_selection_is_decided_by_its_seed():
    inputs = [np.full((1, 2), place, "float32") for place in range(5)]
    chosen = [value_of(ar.RandomSelectInteraction(seed=seed), *inputs) for seed in range(12)]
    again = [value_of(ar.RandomSelectInteraction(seed=seed), *inputs) for seed in range(12)]
    np.testing.assert_array_equal(chosen, again)
    assert len({float(value[0, 0]) for value in chosen}) > 2
