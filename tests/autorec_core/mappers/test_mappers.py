"""Tests each mapper with numbers that are worked out by hand."""

import keras
import numpy as np
import pytest
from block_models import draw_weights, gradients, model_of

import autorec_core as ar
from autorec_core.errors import BlockError
from autorec_core.mappers.base import RowPenalty, StackedIds
from autorec_core.mappers.history import History, all_pairs, padded_histories
from autorec_core.mappers.rate import ClickRates
from autorec_core.recommender import adapt

IDS = np.array([[1, 2], [0, 0], [1, 1], [2, 2]], "int32")


def adapted(model, ids):
    adapt(model, {model.layers[0].name: ids}, np.ones(len(ids), "float32"))
    return model


class TestLatentFactor:
    def test_a_lookup_is_the_one_hot_vector_times_the_matrix(self):
        block = ar.LatentFactorMapper(feat_column_id=1, id_num=3, embedding_dim=4, l2=0.0)
        model = draw_weights(model_of(block, IDS))
        (matrix,) = model.get_weights()
        np.testing.assert_array_equal(model([IDS]), np.eye(3, dtype="float32")[IDS[:, 1]] @ matrix)

    def test_the_penalty_is_the_batch_mean_of_the_squared_norms(self):
        block = ar.LatentFactorMapper(feat_column_id=0, id_num=3, embedding_dim=2, l2=0.1)
        model = model_of(block, IDS)
        model.set_weights([np.array([[1, 1], [2, 0], [0, 3]])])
        model([IDS])
        (penalty,) = model.losses
        assert float(penalty) == pytest.approx(0.1 * (4 + 2 + 4 + 9) / 4)


class TestDense:
    block = ar.DenseFeatureMapper(embedding_dim=3, output="fields")
    numbers = np.array([[1, 2], [0, -1], [0, 0]], "float32")

    def test_it_is_linear_in_the_value_and_zero_stays_zero(self):
        model = draw_weights(model_of(self.block, self.numbers))
        (vectors,) = model.get_weights()
        assert vectors.shape == (2, 3)
        output = np.asarray(model([self.numbers]))
        np.testing.assert_allclose(output, self.numbers[:, :, None] * vectors, rtol=1e-6)
        np.testing.assert_allclose(model([3 * self.numbers]), 3 * output, rtol=1e-5)
        assert not output[2].any()

    def test_its_vectors_are_trained(self):
        model = model_of(self.block, self.numbers)
        assert [weight.shape for weight in model.trainable_weights] == [(2, 3)]
        assert (np.abs(gradients(model, [self.numbers])[0]) > 0).all()

    def test_the_bottom_perceptron_gives_one_vector(self):
        block = ar.DenseFeatureMapper(embedding_dim=3, output="mlp", units=5)
        model = draw_weights(model_of(block, self.numbers))
        w1, b1, w2, b2 = model.get_weights()
        hidden = np.maximum(self.numbers @ w1 + b1, 0)
        expected = np.maximum(hidden @ w2 + b2, 0)
        np.testing.assert_allclose(model([self.numbers]), expected, rtol=1e-5, atol=1e-6)


class TestSparse:
    def test_one_table_is_the_same_model_as_one_for_each_column(self):
        sizes = (3, 4)
        one, each = (
            ar.SparseFeatureMapper(vocabulary_sizes=sizes, embedding_dim=2, l2=0.5, one_table=flag)
            for flag in (True, False)
        )
        one, each = (draw_weights(model_of(block, IDS)) for block in (one, each))
        table = np.concatenate([weight.numpy() for weight in each.trainable_weights])
        one.trainable_weights[0].assign(table)
        adapted(one, IDS), adapted(each, IDS)

        np.testing.assert_array_equal(one([IDS]), each([IDS]))
        assert float(sum(one.losses)) == pytest.approx(float(sum(each.losses)), rel=1e-5)

    def test_an_epoch_penalises_each_row_alike(self):
        block = ar.SparseFeatureMapper(vocabulary_sizes=(3, 3), embedding_dim=1, l2=6.0)
        model = model_of(block, IDS)
        model.trainable_weights[0].assign(np.arange(1.0, 7.0)[:, None])
        adapted(model, IDS)
        model([IDS])
        # Rows 1, 0, 2 of the first column occur, and 2, 0, 1 of the second: all six, once each.
        assert float(model.losses[0]) == pytest.approx(6.0 / 4 * sum(n**2 for n in range(1, 7)))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"vocabulary_sizes": (3,), "columns": (0, 1)}, "2 columns but 1 vocabulary sizes"),
            ({"vocabulary_sizes": (0,)}, "`vocabulary_sizes` .* whole number of at least 1"),
            ({"vocabulary_sizes": (3,), "columns": (-1,)}, "`columns` .* at least 0"),
            ({"vocabulary_sizes": (3,), "embedding_dim": 2.5}, "whole number of at least 1"),
        ],
    )
    def test_wrong_settings_are_named(self, settings, message):
        with pytest.raises(BlockError, match=message):
            ar.SparseFeatureMapper(**settings)


class TestBias:
    def test_it_adds_up_what_each_id_adds(self):
        model = model_of(ar.BiasMapper(vocabulary_sizes=(3, 3), l2=0.0), IDS)
        assert not np.asarray(model([IDS])).any()
        model.set_weights([np.array([[0], [1], [2], [0], [10], [20]])])
        assert np.asarray(model([IDS])).tolist() == [[21], [0], [11], [22]]


class TestHistory:
    ROWS = np.array([[1, 1], [1, 2], [2, 2], [2, 2], [0, 3], [3, 0]], "int32")

    def layer(self, paired):
        layer = History(
            input_name="ids",
            key_column=0,
            value_column=1,
            key_num=4,
            value_num=4,
            dim=2,
            l2=0.5,
            max_length=3,
        )
        if not paired:
            layer.__class__ = type("Sampled", (History,), {"paired": False})
        layer.build((None, 2))
        layer.vectors.assign([[9, 9], [1, 0], [0, 1], [5, 5]])
        layer.adapt({"ids": self.ROWS}, np.ones(6))
        return layer

    @pytest.mark.parametrize("paired", [True, False])
    def test_it_pools_a_key_s_other_values_but_not_the_row_s_own(self, paired):
        layer = self.layer(paired)
        rows = np.array([[1, 1], [1, 2], [1, 3], [2, 2], [2, 1], [3, 1], [0, 1], [1, 0]], "int32")
        half = 2**-0.5
        expected = [
            [0, 1],  # 1 has met 1 and 2; its own, 1, is left out
            [1, 0],
            [half, half],  # 3 is new to it
            [0, 0],  # 2 has met 2 alone
            [0, 1],
            [0, 0],  # 3 has met an unknown value only
            [0, 0],  # the unknown key has met nothing
            [half, half],
        ]
        np.testing.assert_allclose(layer(rows), expected, atol=1e-6)

    def test_its_penalty_is_the_whole_table_s_a_row(self):
        layer = self.layer(paired=True)
        layer(self.ROWS)
        assert float(layer.losses[0]) == pytest.approx(0.5 / 6 * (162 + 1 + 1 + 50))

    def test_both_kinds_of_table_hold_the_same(self):
        generator = np.random.default_rng(3)
        keys, values = generator.integers(0, 9, 60), generator.integers(0, 7, 60)
        pairs = all_pairs(keys, values, 9, 7)
        padded = padded_histories(keys, values, 9, max_length=7)
        for key in range(9):
            assert sorted(padded[key][padded[key] > 0]) == np.flatnonzero(pairs[key]).tolist()

    def test_long_histories_are_sampled_alike_each_time(self):
        keys, values = np.ones(50, int), np.arange(1, 51)
        first, again = (padded_histories(keys, values, 2, max_length=10) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert len(set(first[1])) == 10


def test_an_id_outside_its_vocabulary_is_unknown_and_not_another_columns_row():
    ids = np.array([[0, 0], [2, 4], [3, 5], [-1, 9]], dtype="int32")
    rows = keras.ops.convert_to_numpy(StackedIds([0, 1], [3, 5])(ids))

    assert rows.tolist() == [[0, 3], [2, 7], [0, 3], [0, 3]]


def test_an_id_outside_its_vocabulary_counts_as_unknown_in_the_penalty():
    penalty = RowPenalty("ids", [0], [3], l2=1.0)
    penalty.build(None)
    penalty.adapt({"ids": np.array([[2], [7], [-1]], dtype="int32")}, np.ones(3))

    assert keras.ops.convert_to_numpy(penalty.shares).tolist() == [0.5, 1.0, 1.0]


class TestRate:
    block = ar.RateMapper(vocabulary_sizes=(3, 3), prior=2.0)
    clicks = np.array([1, 0, 1, 1], "float32")

    def model(self, rows, clicks):
        made = model_of(self.block, rows)
        adapt(made, {made.layers[0].name: rows}, clicks)
        return made

    def test_an_id_has_its_rows_rate_drawn_towards_the_mean(self):
        found = np.asarray(self.model(IDS, self.clicks)([IDS]))
        # Of the first column's ids: 1 has two rows, both clicked; 0 has one, not clicked.
        expected = [np.log(r / (1 - r)) - np.log(3) for r in ((2 + 1.5) / 4, 1.5 / 3)]
        np.testing.assert_allclose(found[:2, 0], expected, rtol=1e-5)

    def test_an_unknown_id_adds_nothing(self):
        known = IDS[[0, 2, 3]]
        found = self.model(known, np.array([1, 0, 1]))([np.zeros((1, 2), "int32")])
        np.testing.assert_allclose(found, [[0, 0]], atol=1e-6)

    def test_a_training_row_does_not_find_its_own_label(self):
        generator = np.random.default_rng(3)
        rows = generator.integers(0, 3, (60, 2)).astype("int32")
        rows[0] = (0, 0)
        rows[1:] = np.maximum(rows[1:], 1)  # the first row's ids are its alone
        clicks = generator.integers(0, 2, 60).astype("float32")
        model = self.model(rows, clicks)
        assert np.abs(model([rows[:1]])).min() > 0.1
        np.testing.assert_allclose(model([rows], training=True)[:1], [[0, 0]], atol=1e-6)
        assert np.abs(model([rows], training=True)[1:]).max() > 0.1

    def test_an_id_outside_its_vocabulary_counts_as_unknown(self):
        outside = np.where(IDS == 0, 9, IDS).astype("int32")
        tables = [self.model(rows, self.clicks).get_weights()[0] for rows in (IDS, outside)]
        every = sum(self.block.vocabulary_sizes)  # the last table counts the rows of all folds
        np.testing.assert_array_equal(tables[0][-every:], tables[1][-every:])

    @pytest.mark.parametrize("second", [False, True], ids=["one column", "one decides the other"])
    @pytest.mark.parametrize(("number", "rows"), [(50, 20_000), (1000, 10_000)])
    def test_training_and_prediction_see_alike_where_ids_repeat_together(
        self, number, rows, second
    ):
        generator = np.random.default_rng(3)
        chosen = generator.integers(1, number, rows)
        ids = np.stack([chosen, chosen % 7 + 1][: 1 + second], axis=1).astype("int32")
        truth = generator.normal(-1, 1, number)[chosen]
        clicks = (generator.random(rows) < 1 / (1 + np.exp(-truth))).astype("float32")
        block = ar.RateMapper(vocabulary_sizes=(number, 9)[: 1 + second], prior=10.0)
        model = model_of(block, ids)
        adapt(model, {model.layers[0].name: ids}, clicks)

        seen, told = np.asarray(model([ids], training=True)), np.asarray(model([ids]))

        spread = np.abs(seen).mean(axis=0) / np.abs(told).mean(axis=0)
        assert (spread > 0.85).all()
        assert (spread < 1.15).all()
        # Each row's own click is left out: told all, the rates of rare ids give the label away.
        own = np.corrcoef(seen[:, 0] - truth, clicks - 1 / (1 + np.exp(-truth)))[0, 1]
        assert own < 0.01

    def test_folds_do_not_follow_a_pattern_of_the_labels(self):
        """Labels repeat one click and four rows without: folds in turn would repeat that."""
        ids = np.ones((5000, 1), "int32")
        clicks = np.tile([1.0, 0, 0, 0, 0], 1000).astype("float32")
        layer = ClickRates("ids", [0], [2], prior=10.0)
        layer.build([(None, 1), (None, 1)])
        folds = layer.adapt({"ids": ids}, clicks)
        shares = np.bincount(folds, clicks) / np.bincount(folds)
        assert np.abs(shares - 0.2).max() < 0.05

    def test_keras_own_fit_is_refused_where_it_would_see_other_features(self):
        ids = np.arange(1, 41, dtype="int32")[:, None]
        block = ar.RateMapper(vocabulary_sizes=(41,), prior=2.0)
        clicks = np.tile([1.0, 0.0], 20).astype("float32")

        def fitted(rows, *, adapted=True):
            model = model_of(block, rows)
            if adapted:
                adapt(model, {model.layers[0].name: rows}, clicks)
            model = keras.Model(model.inputs, keras.layers.Dense(1)(model.outputs[0]))
            model.compile("sgd", "mse")
            model.fit(rows, clicks, batch_size=8, verbose=0)

        fitted(ids)
        with pytest.raises(BlockError, match="training rows have the same ids"):
            fitted(ids % 10)
        with pytest.raises(BlockError, match="call `adapt` before"):
            fitted(ids, adapted=False)

    def test_nothing_of_it_is_trained(self):
        assert self.model(IDS, self.clicks).trainable_weights == []


class TestLinear:
    def test_every_column_begins_with_the_same_weight(self):
        numbers = np.array([[1, 2], [0, -1]], "float32")
        found = model_of(ar.LinearMapper(start=0.5), numbers)([numbers])
        np.testing.assert_array_equal(found, [[1.5], [-0.5]])


class TestDayBias:
    def test_it_is_the_bias_of_the_users_day_and_nothing_on_other_days(self):
        block = ar.DayBiasMapper(feat_column_id=1, id_num=3, l2=0.0)
        model = draw_weights(model_of(block, IDS))
        (biases,) = model.get_weights()
        by_hand = [0.0 if day == 0 else biases[day, 0] for day in IDS[:, 1]]
        np.testing.assert_allclose(np.asarray(model([IDS]))[:, 0], by_hand, rtol=1e-6)
        assert abs(biases[0, 0]) > 0

    def test_the_l2_of_all_days_is_equal(self):
        block = ar.DayBiasMapper(feat_column_id=1, id_num=3, l2=3.0)
        model = adapted(model_of(block, IDS), IDS)
        next(w for w in model.weights if "embedding" in w.path).assign([[0], [2], [1]])
        model([IDS])
        assert float(sum(model.losses)) == pytest.approx(3 * (2**2 + 1**2) / 4)
