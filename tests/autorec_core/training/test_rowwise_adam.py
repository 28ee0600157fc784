"""The Adam for tables: it trains only the rows that were looked up, and those as Keras does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from autorec_core.training.adam import RowwiseAdam
from autorec_core.training.tables import row_reads


class TestRowwiseAdam:
    RATE = 0.1

    def tables(self, lookups, width=2):
        """Trains on the sum of squares of looked-up rows; gives the table after each step."""
        model = keras.Sequential([keras.Input((None,), dtype="int32")])
        model.add(keras.layers.Embedding(4, width, embeddings_initializer="ones"))
        table = model.layers[0].embeddings.value
        adam = RowwiseAdam([table], tf.Variable(self.RATE))

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([1, None], tf.int32)])
        def step(ids):
            with tf.GradientTape() as tape, row_reads(model, tape) as reads:
                loss = tf.reduce_sum(model(ids) ** 2)
            (whole,), rows = tape.gradient(loss, ([table], [part.rows for part in reads.fetched]))
            adam.apply([table], [whole], reads.fetched, rows)

        for ids in lookups:
            step(tf.constant([ids]))
            yield table.numpy()

    def test_rows_that_are_not_looked_up_stay(self):
        *_, table = self.tables([[2], [2], [2]])
        np.testing.assert_array_equal(table[[0, 1, 3]], np.ones((3, 2)))
        assert (table[2] < 0.8).all()

    @pytest.mark.parametrize("width", [1, 2, 40])
    def test_it_is_keras_adam_where_every_row_is_looked_up(self, width):
        lookups = [[0, 1, 2, 3], [3, 2, 2, 1, 0, 1, 1], [0, 0, 1, 2, 3], [0, 1, 2, 3]]
        theirs = keras.Variable(np.ones((4, width), np.float32))
        optimizer = keras.optimizers.Adam(self.RATE)
        for ids, table in zip(lookups, self.tables(lookups, width), strict=True):
            # A row looked up n times has n times the gradient.
            times = np.bincount(ids, minlength=4)[:, None].astype(np.float32)
            optimizer.apply([2 * times * theirs.numpy()], [theirs])
            np.testing.assert_allclose(table, theirs.numpy(), rtol=1e-5)

    @pytest.mark.parametrize("shape", [(4, 3, 2), (4, 40, 40), (4,), (4, 1)])
    def test_rows_of_any_rank_are_trained_where_a_layer_gathers_them(self, shape):
        ours, theirs = tf.Variable(tf.ones(shape)), keras.Variable(np.ones(shape, np.float32))
        adam = RowwiseAdam([ours], tf.Variable(self.RATE))
        optimizer = keras.optimizers.Adam(self.RATE)

        @tf.function(autograph=False)
        def step(ids):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.gather(ours, ids) ** 2)
            adam.apply([ours], tape.gradient(loss, [ours]))

        for ids in ([0, 1, 2, 3], [3, 2, 2, 1, 0]):
            times = np.bincount(ids, minlength=4).reshape(-1, *[1] * (len(shape) - 1))
            optimizer.apply([2 * times.astype(np.float32) * theirs.numpy()], [theirs])
            step(tf.constant(ids))
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)
