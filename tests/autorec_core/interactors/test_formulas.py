"""Compares every interactor with its formula, written in NumPy with loops, in float64."""

import itertools

import keras
import numpy as np
import pytest
from block_models import draw_weights, model_of, weights_by_class

import autorec_core as ar
from autorec_core.interactors.hyper import searchable

pytestmark = pytest.mark.usefixtures("float64")

ROWS, FIELDS, DIM = 7, 4, 3
X = np.random.default_rng(5).normal(size=(ROWS, FIELDS, DIM))
FLAT = X.reshape(ROWS, -1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.where(x > 0, x, 0.0)


def pairs():
    return itertools.combinations(range(FIELDS), 2)


def concatenate(weights):
    return np.stack([[X[b, f, d] for f in range(FIELDS) for d in range(DIM)] for b in range(ROWS)])


def inner_product(weights):
    return np.array(
        [[sum(np.prod([x[f, d] for f in range(FIELDS)]) for d in range(DIM))] for x in X]
    )


def elementwise(combine):
    return lambda weights: np.array([[combine(x[:, d]) for d in range(DIM)] for x in X])


def factorisation_machine(weights):
    return np.array([[sum(x[i] @ x[j] for i, j in pairs())] for x in X])


def mapped_factorisation_machine(weights):
    ((kernel,),) = weights["Dense"]
    return np.array([[sum((x[i] @ kernel) @ (x[j] @ kernel) for i, j in pairs())] for x in X])


def pairwise_dots(weights):
    return np.array([[x[i] @ x[j] for i in range(FIELDS) for j in range(i)] for x in X])


def perceptron(x, layers):
    for kernel, bias in layers:
        x = relu(x @ kernel + bias)
    return x


def mlp(weights):
    return perceptron(FLAT, weights["Dense"])


def normalised_mlp(weights):
    x = FLAT
    for (kernel,), (gamma, beta, mean, variance) in zip(
        weights["Dense"], weights["BatchNormalization"], strict=True
    ):
        x = relu((x @ kernel - mean) / np.sqrt(variance + 1e-3) * gamma + beta)
    return x


def cross_net(weights):
    rows = []
    for x0 in FLAT:
        x = x0
        for kernel, bias in weights["VectorCross"]:
            x = x0 * (x @ kernel[:, 0]) + bias + x
        rows.append(x)
    return np.array(rows)


def cross_net_v2(weights):
    rows = []
    for x0 in FLAT:
        x = x0
        for kernel, bias in weights["Dense"]:
            x = x0 * (kernel.T @ x + bias) + x
        rows.append(x)
    return np.array(rows)


def low_rank_cross_net_v2(weights):
    rows = []
    dense = weights["Dense"]
    for x0 in FLAT:
        x = x0
        for (u,), (v, bias) in zip(dense[::2], dense[1::2], strict=True):
            x = x0 * ((u @ v).T @ x + bias) + x
        rows.append(x)
    return np.array(rows)


def gated_cross(weights):
    rows = []
    dense = weights["Dense"]
    for x0 in FLAT:
        x = x0
        for (kernel, bias), (gate,) in zip(dense[::2], dense[1::2], strict=True):
            x = x0 * (x @ kernel + bias) * sigmoid(x @ gate) + x
        rows.append(x)
    return np.array(rows)


def attention(x, heads, dim, query, key, value, residual=None):
    """Computes one layer for one row, field by field and head by head."""
    output = np.zeros((len(x), heads * dim))
    for head in range(heads):
        part = slice(head * dim, (head + 1) * dim)
        for i in range(len(x)):
            likeness = [
                (x[i] @ query[:, part]) @ (x[j] @ key[:, part]) / np.sqrt(dim)
                for j in range(len(x))
            ]
            share = np.exp(likeness) / np.exp(likeness).sum()
            output[i, part] = sum(share[j] * (x[j] @ value[:, part]) for j in range(len(x)))
    return output if residual is None else relu(output + x @ residual)


def self_attention(heads, dim):
    def formula(weights):
        rows = []
        for x in X:
            for layer in weights["FieldAttention"]:
                x = attention(x, heads, dim, *layer)
            rows.append(x.reshape(-1))
        return np.array(rows)

    return formula


def bilinear(form):
    def formula(weights):
        ((matrices,),) = weights["BilinearPairs"]
        rows = []
        for x in X:
            products = []
            for number, (i, j) in enumerate(pairs()):
                matrix = matrices[{"all": 0, "each": i, "pair": number}[form]]
                products.append((x[i] @ matrix) * x[j])
            rows.append(np.concatenate(products))
        return np.array(rows)

    return formula


def compressed(weights):
    rows = []
    for x0 in X:
        x, sums = x0, []
        for (kernel,) in weights["CompressedCross"]:
            shaped = kernel.reshape(len(x), FIELDS, -1)
            x = np.array(
                [
                    sum(
                        shaped[i, j, h] * x[i] * x0[j] for i in range(len(x)) for j in range(FIELDS)
                    )
                    for h in range(shaped.shape[-1])
                ]
            )
            sums += [vector.sum() for vector in x]
        rows.append(sums)
    return np.array(rows)


def squeeze_excitation(weights):
    (first,), (second,) = weights["Dense"]
    rows = []
    for x in X:
        a = relu(relu(x.mean(axis=1) @ first) @ second)
        rows.append([x[i] * a[i] for i in range(FIELDS)])
    return np.array(rows)


def two_stream(heads, layers):
    def formula(weights):
        dense = weights["Dense"]
        streams = []
        for start in (0, layers + 1):
            gate, bias = dense[start]
            selected = FLAT * 2 * sigmoid(FLAT @ gate + bias)
            streams.append(perceptron(selected, dense[start + 1 : start + 1 + layers]))
        (u,), (v,) = dense[2 * layers + 2 :]
        ((kernel,),) = weights["BilinearFusion"]
        a, b = streams
        total = a @ u + b @ v
        part = a.shape[1] // heads
        for head in range(heads):
            cut = slice(head * part, (head + 1) * part)
            total += np.array([[p[cut] @ kernel[head] @ q[cut]] for p, q in zip(a, b, strict=True)])
        return total

    return formula


MLP = {"units": 6, "num_layers": 2, "dropout_rate": 0.5}
ATTENTION = {"embedding_dim": 0, "attention_dim": 4, "num_heads": 3, "num_layers": 2}
CASES = [
    (ar.ConcatenateInteraction(), concatenate),
    (ar.InnerProductInteraction(), inner_product),
    (ar.ElementwiseInteraction(operation="sum"), elementwise(sum)),
    (ar.ElementwiseInteraction(operation="average"), elementwise(lambda v: sum(v) / len(v))),
    (ar.ElementwiseInteraction(operation="multiply"), elementwise(np.prod)),
    (ar.ElementwiseInteraction(operation="max"), elementwise(max)),
    (ar.ElementwiseInteraction(operation="min"), elementwise(min)),
    (ar.FMInteraction(embedding_dim=0), factorisation_machine),
    (ar.FMInteraction(embedding_dim=5), mapped_factorisation_machine),
    (ar.PairwiseDotInteraction(), pairwise_dots),
    (ar.MLPInteraction(**MLP, use_batch_norm=False), mlp),
    (ar.MLPInteraction(**MLP, use_batch_norm=True), normalised_mlp),
    (ar.CrossNetInteraction(num_layers=3), cross_net),
    (ar.CrossNetV2Interaction(num_layers=2, rank=0), cross_net_v2),
    (ar.CrossNetV2Interaction(num_layers=2, rank=5), low_rank_cross_net_v2),
    (ar.GatedCrossInteraction(num_layers=2), gated_cross),
    (ar.SelfAttentionInteraction(**ATTENTION, use_residual=True), self_attention(3, 4)),
    (ar.SelfAttentionInteraction(**ATTENTION, use_residual=False), self_attention(3, 4)),
    (ar.BilinearInteraction(form="all"), bilinear("all")),
    (ar.BilinearInteraction(form="each"), bilinear("each")),
    (ar.BilinearInteraction(form="pair"), bilinear("pair")),
    (ar.CompressedInteraction(units=5, num_layers=3), compressed),
    (ar.SqueezeExcitationInteraction(reduction=2), squeeze_excitation),
    (
        ar.TwoStreamInteraction(units=6, num_layers=2, dropout_rate=0.25, num_heads=3),
        two_stream(3, 2),
    ),
]


@pytest.mark.parametrize(("block", "formula"), CASES, ids=lambda value: str(value).split(" at ")[0])
def test_formula(block, formula):
    model = draw_weights(model_of(block, X))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign([0.3, -0.2, 0.1, 0.0, 0.5, -0.4])
            layer.moving_variance.assign([1.5, 0.5, 2.0, 1.0, 0.1, 0.7])

    output = np.asarray(model([X]))

    assert output.dtype == np.float64
    np.testing.assert_allclose(output, formula(weights_by_class(model)), rtol=1e-10, atol=1e-12)


def test_every_interactor_has_a_formula_here():
    # Random selection has none: test_numbers.py shows that it passes an input on as it is.
    written = {type(block).__name__ for block, _ in CASES}
    assert written == {*searchable()} - {"RandomSelectInteraction"}


class TestInputsOfDifferentShapes:
    """The rules of `interactors.base` for inputs of different shapes."""

    def test_wider_vectors_are_mapped_to_the_narrowest(self):
        wide, narrow = X[:, 0], X[:, 1, :2]
        model = draw_weights(model_of(ar.InnerProductInteraction(), wide, narrow))
        ((kernel,),) = weights_by_class(model)["Dense"]
        expected = np.sum((wide @ kernel) * narrow, axis=1, keepdims=True)
        np.testing.assert_allclose(model([wide, narrow]), expected, rtol=1e-10)

    def test_tables_are_flattened_where_vectors_are_combined(self):
        model = draw_weights(model_of(ar.ElementwiseInteraction(operation="sum"), X, X[:, :2]))
        ((kernel,),) = weights_by_class(model)["Dense"]
        expected = FLAT @ kernel + X[:, :2].reshape(ROWS, -1)
        np.testing.assert_allclose(model([X, X[:, :2]]), expected, rtol=1e-10)

    def test_vectors_are_fields_where_fields_are_combined(self):
        table, vector = X[:, :3], X[:, 3]
        model = model_of(ar.FMInteraction(embedding_dim=0), table, vector)
        np.testing.assert_allclose(model([table, vector]), factorisation_machine(None), rtol=1e-10)

    def test_fields_of_another_width_are_mapped(self):
        table, vector = X, X[:, 0, :2]
        model = draw_weights(model_of(ar.PairwiseDotInteraction(), table, vector))
        ((kernel,),) = weights_by_class(model)["Dense"]
        fields = [np.stack([*(x @ kernel), v]) for x, v in zip(table, vector, strict=True)]
        expected = [[f[i] @ f[j] for i in range(5) for j in range(i)] for f in fields]
        np.testing.assert_allclose(model([table, vector]), expected, rtol=1e-10)


class TestDropout:
    def test_it_drops_in_training_only(self):
        block = ar.MLPInteraction(units=64, num_layers=1, use_batch_norm=False, dropout_rate=0.5)
        model = model_of(block, X)
        still, moving = np.asarray(model([X])), np.asarray(model([X], training=True))
        np.testing.assert_array_equal(still, model([X]))
        alive = still > 0
        assert 0.3 < (moving[alive] == 0).mean() < 0.7
        np.testing.assert_allclose(moving[moving > 0], 2 * still[moving > 0], rtol=1e-10)
