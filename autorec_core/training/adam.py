"""An Adam that reads and writes only the rows of embedding tables that a batch looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from autorec_core.training.tables import Fetched, summed_by_row, summed_in_place

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7

Gradient = Any  # a tensor, tf.IndexedSlices, or None


class RowwiseAdam:
    """Adam with the formula of Keras. The moments of a table row change only if it is looked up.

    All variables share one step count and so one bias correction.

    Args:
        variables: The trained variables, including embedding tables.
        learning_rate: The learning rate, which may change between steps.

    References:
        [Kingma and Ba, 2014](https://arxiv.org/abs/1412.6980)
    """

    def __init__(self, variables: Sequence[tf.Variable], learning_rate: tf.Variable) -> None:
        self._learning_rate = learning_rate
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._moments = {
            variable.ref(): (_zeros_like(variable), _zeros_like(variable)) for variable in variables
        }

    @property
    def state(self) -> list[tf.Variable]:
        """Everything that changes with each step: the step count, and all moments."""
        return [self._step, *(moment for pair in self._moments.values() for moment in pair)]

    def apply(
        self,
        variables: Sequence[tf.Variable],
        gradients: Sequence[Gradient],
        fetched: Sequence[Fetched] = (),
        row_gradients: Sequence[Gradient] = (),
    ) -> None:
        """Takes one step.

        Args:
            variables: The trained variables.
            gradients: The gradient of each variable; None if the loss depends on none of it or only
                on single rows.
            fetched: The table rows that the batch looked up.
            row_gradients: The gradients of these rows, in the same order.
        """
        step = tf.cast(self._step.assign_add(1), tf.float32)
        self._power_1, self._power_2 = tf.pow(BETA_1, step), tf.pow(BETA_2, step)
        whole = {
            variable.ref(): gradient
            for variable, gradient in zip(variables, gradients, strict=True)
            if gradient is not None
        }
        by_table: dict[object, list[tuple[Fetched, tf.Tensor]]] = {}
        for part, gradient in zip(fetched, row_gradients, strict=True):
            if gradient is None:
                continue
            gradient = summed_in_place(gradient)
            if part.table.ref() in whole:  # for example from a penalty on the whole table
                total = tf.convert_to_tensor(whole[part.table.ref()])
                whole[part.table.ref()] = tf.tensor_scatter_nd_add(
                    total, part.ids[:, None], gradient
                )
            else:
                by_table.setdefault(part.table.ref(), []).append((part, gradient))
        for reference, gradient in whole.items():
            if isinstance(gradient, tf.IndexedSlices):
                self._update_rows(reference.deref(), *summed_by_row(gradient))
            else:
                self._update(reference.deref(), gradient)
        for parts in by_table.values():
            self._update_fetched(parts)

    def _update_fetched(self, parts: Sequence[tuple[Fetched, tf.Tensor]]) -> None:
        table = parts[0][0].table
        if len(parts) == 1:
            (part, gradient), *_ = parts
            self._update_rows(table, part.ids, gradient, part.rows)
            return
        together = tf.IndexedSlices(
            values=tf.concat([gradient for _, gradient in parts], axis=0),
            indices=tf.concat([part.ids for part, _ in parts], axis=0),
        )
        self._update_rows(table, *summed_by_row(together))

    def _update(self, variable: tf.Variable, gradient: tf.Tensor) -> None:
        momentum, velocity = self._moments[variable.ref()]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=self._power_1,
            beta2_power=self._power_2,
            lr=self._learning_rate,
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=EPSILON,
            grad=gradient,
        )

    def _update_rows(
        self,
        table: tf.Variable,
        ids: tf.Tensor,
        gradient: tf.Tensor,
        rows: tf.Tensor | None = None,
    ) -> None:
        momentum, velocity = self._moments[table.ref()]
        m, v = momentum.sparse_read(ids), velocity.sparse_read(ids)
        m += (gradient - m) * (1 - BETA_1)
        v += (tf.square(gradient) - v) * (1 - BETA_2)
        rate = self._learning_rate * tf.sqrt(1 - self._power_2) / (1 - self._power_1)
        rows = table.sparse_read(ids) if rows is None else rows
        rows -= rate * m / (tf.sqrt(v) + EPSILON)
        for variable, values in ((momentum, m), (velocity, v), (table, rows)):
            tf.raw_ops.ResourceScatterUpdate(resource=variable.handle, indices=ids, updates=values)


def _zeros_like(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
