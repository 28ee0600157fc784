from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from autorec_core.block import bounded, choice
from autorec_core.mappers.base import Mapper
from autorec_core.mappers.history import History


@dataclass(frozen=True, kw_only=True)
class RatedHistoryMapper(Mapper):
    THESIS: ClassVar[Mapping[str, Any]] = {"l2": 0.0}

    key_column: int = bounded(least=0)
    value_column: int = bounded(least=0)
    key_num: int = bounded(least=1)
    value_num: int = bounded(least=1)
    embedding_dim: int = choice(8, 16, 32, 64, 128, default=32, least=1)
    l2: float = choice(10.0, 30.0, default=30.0, name="rated_history_l2", least=0)
    activation: str = choice("linear", "tanh", "sigmoid", default="linear")

    def connect(self, inputs: Sequence[Any]) -> Any:
        table = self.only(inputs)
        layer = RatedHistory(
            input_name=table._keras_history.operation.name,
            key_column=self.has_column(table, "key_column"),
            value_column=self.has_column(table, "value_column"),
            key_num=self.key_num,
            value_num=self.value_num,
            dim=self.embedding_dim,
            l2=self.l2,
            max_length=300,
        )
        out = layer(table)
        if self.activation != "linear":
            out = Bend(self.activation)(out)
        return out


@keras.saving.register_keras_serializable(package="autorec")
class Bend(keras.layers.Layer):
    def __init__(self, activation, **kw):
        super().__init__(**kw)
        self.activation = activation

    def build(self, shape):
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")

    def call(self, x):
        return keras.activations.get(self.activation)(x + self.bias)


@keras.saving.register_keras_serializable(package="autorec")
class RatedHistory(History):
    SHRINK = 5.0

    @property
    def paired(self):
        return True

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.weights_ = self.add_weight(
            name="residuals", shape=(self.key_num, self.value_num), dtype="float16",
            initializer="zeros", trainable=False,
        )

    def adapt(self, inputs, labels) -> None:
        super().adapt(inputs, labels)
        table = inputs[self.input_name]
        keys, values = (table[:, at].astype("int64") for at in (self.key_column, self.value_column))
        labels = np.asarray(labels, np.float64)
        mean, std = labels.mean(), labels.std() or 1.0
        count = np.bincount(values, minlength=self.value_num)
        total = np.bincount(values, labels - mean, minlength=self.value_num)
        bias = total / (count + self.SHRINK)
        res = np.zeros((self.key_num, self.value_num), np.float32)
        res[keys, values] = (labels - mean - bias[values]) / std
        res[0] = res[:, 0] = 0
        self.weights_.assign(res)

    def met(self):
        with tf.init_scope():
            h = self.histories.value.numpy()
            r = self.weights_.value.numpy()
        keys, places = np.nonzero(h)
        return keys, places, r[keys, places].astype(np.float32)

    def call(self, inputs):
        key, own = inputs[:, self.key_column], inputs[:, self.value_column]
        vectors = tf.convert_to_tensor(self.vectors)
        at = tf.stack([key, own], axis=1)
        mine = tf.cast(tf.gather_nd(tf.convert_to_tensor(self.weights_), at), vectors.dtype)
        met = tf.cast(tf.gather_nd(tf.convert_to_tensor(self.histories), at), vectors.dtype)
        others = (self.pooling or self.pooled)(key, own, mine, vectors)
        if self.l2:
            self.add_loss(2 * self.penalty * tf.nn.l2_loss(vectors))
        number = tf.gather(tf.convert_to_tensor(self.lengths), key) - met
        return others * tf.math.rsqrt(tf.maximum(number, 1))[:, None]

    def _sums(self, keys, vectors):
        history = tf.gather(tf.convert_to_tensor(self.weights_), keys)
        return tf.matmul(tf.cast(history, vectors.dtype), vectors)
