"""Compares interactors with other projects' code, with the same weights, in float64."""

import itertools

import keras
import keras_rs
import numpy as np
import pytest
import tensorflow as tf
from block_models import draw_weights, model_of, weights_by_class
from sklearn.preprocessing import PolynomialFeatures

import autorec_core as ar
from autorec_core.interactors.fm import PairwiseSum
from autorec_core.interactors.self_attention import FieldAttention

pytestmark = pytest.mark.usefixtures("float64")

ROWS, FIELDS, DIM = 6, 5, 4
X = np.random.default_rng(8).normal(size=(ROWS, FIELDS, DIM))
FLAT = X.reshape(ROWS, -1)


@pytest.mark.parametrize("rank", [0, 3])
def test_dcn_v2_is_keras_rs_feature_cross(rank):
    model = draw_weights(model_of(ar.CrossNetV2Interaction(num_layers=3, rank=rank), FLAT))
    dense = weights_by_class(model)["Dense"]
    step = 2 if rank else 1
    x = FLAT
    for layer in range(3):
        theirs = keras_rs.layers.FeatureCross(projection_dim=rank or None)
        theirs(FLAT, FLAT)
        theirs.set_weights(list(itertools.chain(*dense[layer * step : (layer + 1) * step])))
        x = theirs(FLAT, x)

    np.testing.assert_allclose(model([FLAT]), x, rtol=1e-12)


def test_pairwise_dots_are_keras_rs_dot_interaction():
    fields = [X[:, field] for field in range(FIELDS)]
    theirs = keras_rs.layers.DotInteraction()(fields)
    np.testing.assert_allclose(
        model_of(ar.PairwiseDotInteraction(), *fields)(fields), theirs, rtol=1e-12
    )


@pytest.mark.parametrize("residual", [True, False])
def test_self_attention_is_keras_multi_head_attention(residual):
    heads, dim = 3, 4  # Keras keeps 1/sqrt(dim) in float32 only: take one that is exact there
    ours = FieldAttention(dim, heads, residual)
    ours.build(X.shape)
    theirs = keras.layers.MultiHeadAttention(heads, dim, use_bias=False, output_shape=heads * dim)
    theirs.build(X.shape, X.shape)
    query, key, value = (
        weight.numpy().reshape(DIM, heads, dim)
        for weight in (ours.query_kernel, ours.key_kernel, ours.value_kernel)
    )
    # Theirs maps the heads once more; the identity leaves them side by side.
    theirs.set_weights([query, key, value, np.eye(heads * dim).reshape(heads, dim, heads * dim)])

    # Asked for its scores, Keras' layer does not take its softmax in float32.
    expected = np.asarray(theirs(X, X, return_attention_scores=True)[0])
    if residual:
        expected = np.maximum(expected + X @ ours.residual_kernel.numpy(), 0)

    np.testing.assert_allclose(ours(X), expected, rtol=1e-10)


def test_the_factorisation_machine_is_all_pairs_summed():
    """Over one-hot columns and their vectors, the machine is Rendle's sum over all pairs."""
    vectors = np.random.default_rng(2).normal(size=(FIELDS, DIM))
    values = X[:, :, 0]
    pairs = PolynomialFeatures(degree=2, interaction_only=True, include_bias=False)
    products = pairs.fit_transform(values)[:, FIELDS:]
    dots = [vectors[i] @ vectors[j] for i, j in itertools.combinations(range(FIELDS), 2)]
    scaled = values[:, :, None] * vectors

    ours = model_of(ar.FMInteraction(embedding_dim=0), scaled)([scaled])

    np.testing.assert_allclose(ours, (products @ dots)[:, None], rtol=1e-10)


def test_the_factorisation_machine_has_the_gradient_of_its_formula():
    ours, formula = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(X)
    factor = np.random.default_rng(3).normal(size=(ROWS, 1))
    with tf.GradientTape() as tape:
        tape.watch([ours, formula])
        square_of_sum = keras.ops.sum(formula, axis=1) ** 2
        sum_of_squares = keras.ops.sum(formula**2, axis=1)
        pairs = 0.5 * keras.ops.sum(square_of_sum - sum_of_squares, axis=1, keepdims=True)
        loss = keras.ops.sum(factor * (PairwiseSum()(ours) ** 2 + pairs**2))
    gradient, expected = tape.gradient(loss, [ours, formula])

    np.testing.assert_allclose(gradient, expected, rtol=1e-10)


def test_batch_normalised_perceptron_trains_as_keras_layers_do():
    block = ar.MLPInteraction(units=3, num_layers=1, use_batch_norm=True, dropout_rate=0.0)
    model = draw_weights(model_of(block, FLAT))
    kernel, gamma, beta = (weight.numpy() for weight in model.trainable_weights)
    z = FLAT @ kernel
    expected = np.maximum((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-3) * gamma + beta, 0)
    np.testing.assert_allclose(model([FLAT], training=True), expected, rtol=1e-10, atol=1e-12)
