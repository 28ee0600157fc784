"""The latent factor mapper of the thesis: one id column to one embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import bounded, choice
from autorec_core.mappers.base import Column, Mapper


@dataclass(frozen=True, kw_only=True)
class LatentFactorMapper(Mapper):
    """Maps one id column to latent vectors, which are looked up in a table.

    Args:
        feat_column_id: The id column's place in the input, counted from 0.
        id_num: Number of ids, "unknown" (id 0) included.
        embedding_dim: Width of the vectors.
        l2: Weight of the squared norms of the looked-up vectors, averaged over the batch. An id has
            a penalty each time it occurs, as in weighted-lambda regularisation. All latent factor
            mappers share this hyperparameter.

    Returns:
        Tensor of shape (batch_size, embedding_dim).

    References:
        [Koren et al., 2009](https://doi.org/10.1109/MC.2009.263),
        [Zhou et al., 2008](https://doi.org/10.1007/978-3-540-68880-8_32)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {
        "embedding_dim": choice(8, 16, 32, 64, 128, default=32),
        "l2": 0.0,
    }

    feat_column_id: int = bounded(least=0)
    id_num: int = bounded(least=1)
    embedding_dim: int = choice(8, 16, 32, 64, 128, default=32, least=1)
    l2: float = choice(0.03, 0.06, 0.1, 0.15, default=0.06, name="latent_l2", least=0)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the embedding on the first (and only) input, shape (batch_size, columns)."""
        table = self.only(inputs)
        ids = Column(self.has_column(table, "feat_column_id"))(table)
        return keras.layers.Embedding(
            self.id_num,
            self.embedding_dim,
            # Keras divides an activity penalty by the batch size.
            activity_regularizer=keras.regularizers.L2(self.l2) if self.l2 else None,
        )(ids)
