"""Histories pooled sparsely are the histories that the layer itself pools."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

import autorec_core as ar
from autorec_core.mappers.history import History, pooled_once
from autorec_core.recipe import Training
from autorec_core.training import Budget, FailedTrial, Rows, learner, predict, prediction, train
from autorec_core.training.batches import Chunk
from autorec_core.training.histories import sparse_histories

KEYS, VALUES, DIM = 12, 9, 3
GENERATOR = np.random.default_rng(5)
MET = np.stack([GENERATOR.integers(0, KEYS, 60), GENERATOR.integers(0, VALUES, 60)], 1)
ASKED = np.stack([GENERATOR.integers(0, KEYS, 40), GENERATOR.integers(0, VALUES, 40)], 1)
WEIGHTS = GENERATOR.normal(size=(VALUES, DIM))
UPSTREAM = GENERATOR.normal(size=(len(ASKED), DIM))


def model_of(paired):
    ids = keras.Input([2], dtype="int32", name="ids")
    layer = History(
        input_name="ids",
        key_column=0,
        value_column=1,
        key_num=KEYS,
        value_num=VALUES,
        dim=DIM,
        l2=0.0,
        max_length=VALUES,
    )
    if not paired:
        layer.__class__ = type("Listed", (History,), {"paired": False})
    model = keras.Model(ids, layer(ids))
    layer.adapt({"ids": MET.astype("int32")}, np.ones(len(MET)))
    layer.vectors.assign(WEIGHTS)
    return model


def definition():
    """The pooled vectors, and the gradient of their product with `UPSTREAM`, row by row."""
    pooled, gradient = np.zeros((len(ASKED), DIM)), np.zeros((VALUES, DIM))
    for row, (key, own) in enumerate(ASKED):
        met = {value for known, value in MET if known == key and key and value} - {own}
        for value in met:
            pooled[row] += WEIGHTS[value] / len(met) ** 0.5
            gradient[value] += UPSTREAM[row] / len(met) ** 0.5
    return pooled, gradient


def found(model, pooled_by):
    """The same by the model, in a graph."""

    @tf.function(autograph=False)
    def run(ids):
        with tf.GradientTape() as tape, pooled_by(model):
            pooled = model(ids)
            total = tf.reduce_sum(pooled * tf.cast(UPSTREAM, tf.float32))
        return pooled, tape.gradient(total, model.trainable_variables[0].value)

    return [tf.convert_to_tensor(one).numpy() for one in run(tf.constant(ASKED, tf.int32))]


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("pooled_by", [sparse_histories, pooled_once, nullcontext])
def test_sums_and_gradient_are_those_of_the_definition(paired, pooled_by):
    model = model_of(paired)
    for one, expected in zip(found(model, pooled_by), definition(), strict=True):
        np.testing.assert_allclose(one, expected, atol=1e-5)
    assert model.layers[1].pooling is None


def recommender():
    ids = ar.Input([2], name="ids")
    settings = {"embedding_dim": 4, "l2": 1.0}
    user = ar.LatentFactorMapper(feat_column_id=0, id_num=KEYS, **settings)(ids)
    history = ar.HistoryMapper(
        key_column=0, value_column=1, key_num=KEYS, value_num=VALUES, **settings
    )(ids)
    user = ar.ElementwiseInteraction(operation="sum")([user, history])
    item = ar.LatentFactorMapper(feat_column_id=1, id_num=VALUES, **settings)(ids)
    score = ar.InnerProductInteraction()([user, item])
    recipe = Training(learning_rate=0.03, decay=1.0, batch_size=16)
    outputs = ar.RatingPredictionOptimizer()(score)
    return ar.RPRecommender(inputs=ids, outputs=outputs, training=recipe)


def rows(ids):
    labels = (ids[:, 0] % 3) * (ids[:, 1] % 4) / 2
    return Rows({"ids": ids.astype("int32")}, labels.astype("float32"))


def trained():
    budget = Budget(epochs=4, patience=4)
    return train(recommender(), rows(MET), rows(ASKED), budget=budget, seed=1)


def test_a_training_is_the_same_to_rounding_with_either_and_to_the_bit_with_the_same(monkeypatch):
    first, again = trained(), trained()
    for engine in (learner, prediction):
        monkeypatch.setattr(engine, "sparse_histories", nullcontext)
    dense = trained()

    losses, others = ([row["loss"] for row in one.curve] for one in (first, dense))
    assert losses == [row["loss"] for row in again.curve]
    assert first.score == again.score
    np.testing.assert_allclose(losses, others, rtol=1e-4)
    assert losses[-1] < losses[0]


def test_a_trained_model_is_saved_and_exported_as_plain_tensorflow(tmp_path):
    model, asked = trained().model, rows(ASKED)
    expected = predict(model, asked.inputs)
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)

    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(loaded, asked.inputs), expected)
    ids = tf.constant(ASKED, tf.int32)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    for scores in (exported.serve(ids), loaded(ids)):
        np.testing.assert_allclose(np.reshape(scores, -1), expected, rtol=1e-5)


def test_an_id_outside_the_histories_fails_the_trial():
    strange = np.concatenate([MET, [[KEYS, 1]]])
    model = learner.build_model(recommender(), 1)
    engine = learner.Learner(recommender(), model, 16)
    chunk = Chunk(
        {"ids": tf.constant(strange, tf.int32)},
        tf.zeros(len(strange)),
        np.arange(len(strange), dtype=np.int32),
    )
    with pytest.raises(FailedTrial, match=f"{KEYS}"):
        engine.learn(chunk, chunk.order)
