"""Task optimizers: the sum of heads, the range of predictions, and the loss."""

import keras
import numpy as np
import pytest
from block_models import draw_weights, keras_inputs, model_of, weights_by_class

import autorec_core as ar
from autorec_core.errors import BlockError

A = np.array([[1.0], [2.0], [-3.0]], "float32")
TOWER = ar.LinearMapper(start=1.0)
WIDE = np.random.default_rng(1).normal(size=(3, 2, 4)).astype("float32")


def scored(block, *arrays):
    """Makes a model of the block on towers that return the arrays as parts of the score."""
    inputs = keras_inputs(arrays)
    return keras.Model(inputs, block.connect([TOWER.connect([one]) for one in inputs]))


def adapted(block, labels, *arrays):
    model = scored(block, *arrays)
    model.get_layer("score").adapt({}, np.asarray(labels))
    return model


def test_towers_are_added_to_the_mean():
    model = adapted(ar.RatingPredictionOptimizer(), [1, 2, 6], A, 2 * A)
    np.testing.assert_allclose(model([A, 2 * A]), 3 * A + 3)


def test_a_tensor_that_is_not_a_part_of_the_score_gets_a_linear_head():
    model = draw_weights(model_of(ar.RatingPredictionOptimizer(), A, WIDE))
    heads = weights_by_class(model)["Dense"]
    (of_numbers,), (of_wide,) = heads
    ((offset,),) = weights_by_class(model)["Offset"]
    expected = A @ of_numbers + WIDE.reshape(3, 8) @ of_wide + offset
    np.testing.assert_allclose(model([A, WIDE]), expected, rtol=1e-5)


def test_columns_of_numbers_begin_without_effect_however_many():
    for columns in (A, np.concatenate([A, A], axis=1)):
        model = model_of(ar.RatingPredictionOptimizer(), columns)
        assert not np.asarray(model([columns])).any()


@pytest.mark.parametrize(
    "block",
    [
        ar.InnerProductInteraction(),
        ar.FMInteraction(embedding_dim=0),
        ar.FMInteraction(embedding_dim=1),
        ar.TwoStreamInteraction(units=16, num_layers=1, dropout_rate=0.0, num_heads=1),
        ar.CrossNetInteraction(num_layers=1),
        ar.CrossNetV2Interaction(num_layers=1, rank=0),
        ar.GatedCrossInteraction(num_layers=1),
        ar.PairwiseDotInteraction(),
        ar.ElementwiseInteraction(operation="multiply"),
    ],
    ids=lambda block: type(block).__name__,
)
def test_the_product_of_numbers_is_learned_with_any_slope(block):
    """It was added to the score as it is: with a slope of -0.5 the loss stayed far too high."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(2, 500, 1)).astype("float32")
    label = 1 - 0.5 * numbers[0] * numbers[1]
    inputs = keras_inputs(numbers)
    model = keras.Model(inputs, ar.RatingPredictionOptimizer().connect([block.connect(inputs)]))
    model.get_layer("score").adapt({}, label)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(list(numbers), label, batch_size=100, epochs=40, verbose=0)
    assert model.evaluate(list(numbers), label, verbose=0) < 0.3 * label.var()


@pytest.mark.parametrize(
    "block",
    [
        ar.MLPInteraction(units=1, num_layers=1, use_batch_norm=False, dropout_rate=0.0),
        ar.ConcatenateInteraction(),
        ar.ElementwiseInteraction(operation="sum"),
        ar.RandomSelectInteraction(seed=0),
    ],
    ids=lambda block: type(block).__name__,
)
def test_one_number_of_a_tower_is_weighted_too(block):
    (numbers,) = keras_inputs([A])
    head = ar.CTRPredictionOptimizer().connect([block.connect([numbers])])
    assert "Dense" in weights_by_class(keras.Model(numbers, head))
    weights = keras.Model(numbers, head).trainable_weights
    assert weights[-2].shape == (1, 1)


def test_a_rating_can_fall_below_zero_and_still_learn():
    """The thesis' ReLU has no gradient below zero; a linear head has one."""
    model = scored(ar.RatingPredictionOptimizer(), A)
    np.testing.assert_array_equal(model([A]), A)


class TestRange:
    def test_clipped_when_predicting_but_not_in_training(self):
        block = ar.RatingPredictionOptimizer(label_range=(1, 5))
        model = adapted(block, [3, 3], 10 * A)
        np.testing.assert_allclose(model([10 * A]), [[5], [5], [1]])
        np.testing.assert_allclose(model([10 * A], training=True), [[13], [23], [-27]])

    def test_scaled_by_a_sigmoid_that_starts_at_the_mean(self):
        block = ar.RatingPredictionOptimizer(label_range=(1, 5), scaling="sigmoid")
        model = adapted(block, [1, 5, 3, 5], 0 * A)
        np.testing.assert_allclose(model([0 * A]), np.full((3, 1), 3.5), rtol=1e-5)
        np.testing.assert_allclose(model([1e6 * A]), [[5], [5], [1]])

    @pytest.mark.parametrize("bad", [(5, 1), (1, 1), (1, 2, 3)])
    def test_a_wrong_range_is_an_error(self, bad):
        with pytest.raises(BlockError, match="the smallest and the greatest rating"):
            ar.RatingPredictionOptimizer(label_range=bad)

    def test_scaling_is_one_of_two(self):
        with pytest.raises(BlockError, match="one of clip, sigmoid"):
            ar.RatingPredictionOptimizer(scaling="relu")


class TestClicks:
    def test_the_output_is_a_probability_that_starts_at_the_click_rate(self):
        model = adapted(ar.CTRPredictionOptimizer(), [0, 0, 0, 1], 0 * A)
        np.testing.assert_allclose(model([0 * A]), np.full((3, 1), 0.25), rtol=1e-5)

    @pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
    def test_one_sided_labels_leave_the_offset_finite(self, labels):
        model = adapted(ar.CTRPredictionOptimizer(), labels, A)
        assert np.isfinite(model.get_layer("score").offset.numpy())

    def test_the_loss_is_the_full_cross_entropy(self):
        block = ar.CTRPredictionOptimizer()
        y, p = np.array([[1.0], [0.0], [1.0]]), np.array([[0.8], [0.4], [0.3]])
        expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        assert float(block.loss()(y, p)) == pytest.approx(expected, rel=1e-5)

    def test_logits_keep_the_loss_finite_where_probabilities_saturate(self):
        """Training uses `score`, the logit before the sigmoid."""
        model = scored(ar.CTRPredictionOptimizer(), A)
        logits = keras.Model(model.input, model.get_layer("score").output)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        assert float(loss(np.zeros((3, 1)), logits([200 + 0 * A]))) == pytest.approx(200, rel=1e-5)


@pytest.mark.parametrize(
    "block", [ar.RatingPredictionOptimizer(), ar.CTRPredictionOptimizer()], ids=lambda b: b.task
)
@pytest.mark.parametrize(
    ("shape", "dtype"), [((), "float32"), ((None,), "float32"), ((2,), "int32")]
)
def test_unsuitable_inputs_are_named(block, shape, dtype):
    with pytest.raises(BlockError, match="adds up numbers or vectors of them"):
        block.connect([keras.Input(shape, dtype=dtype)])
    with pytest.raises(BlockError, match="at least one tensor"):
        block.connect([])
