"""The day bias mapper: how a user's labels of one day differ from the user's others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from autorec_core.block import bounded, choice
from autorec_core.mappers.base import Mapper, StackedIds, looked_up
from autorec_core.mappers.bias import Total
from autorec_core.mappers.pooled_feature import KnownMean


@dataclass(frozen=True, kw_only=True)
class DayBiasMapper(Mapper):
    """Maps the column of users and days to a bias `b[user, day]`, as in timeSVD++.

    The column is the time feature `user_day`. A user and day without training rows have id 0 and
    add nothing to the score, so days after training are scored without it.

    Args:
        feat_column_id: The column's place in the input, counted from 0.
        id_num: Number of ids, "unknown" (id 0) included.
        l2: Weight of the squared biases, equal for all ids, divided by the number of training rows.

    Returns:
        Tensor of shape (batch_size, 1).

    References:
        [Koren, 2009](https://doi.org/10.1145/1557019.1557072)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {"l2": 0.0}

    feat_column_id: int = bounded(least=0)
    id_num: int = bounded(least=1)
    l2: float = choice(3.0, 10.0, 30.0, default=10.0, name="day_l2", least=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the biases on the one input of ids, shape (batch_size, columns)."""
        table = self.only(inputs)
        columns, sizes = [self.has_column(table, "feat_column_id")], [self.id_num]
        ids = StackedIds(columns, sizes)(table)
        biases = looked_up(table, columns, sizes, 1, self.l2, "zeros")
        return Total()(KnownMean()([ids, biases]))
