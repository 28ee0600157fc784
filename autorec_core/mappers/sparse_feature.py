"""The sparse mapper: from categorical columns to one embedding each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import bounded, choice
from autorec_core.errors import BlockError
from autorec_core.mappers.base import Mapper, looked_up


@dataclass(frozen=True, kw_only=True)
class ColumnsMapper(Mapper):
    """A mapper of several id columns.

    Args:
        vocabulary_sizes: Number of ids of each mapped column, "unknown" (id 0) included.
        columns: The mapped columns' places in the input, counted from 0; empty for all.
    """

    vocabulary_sizes: tuple[int, ...] = bounded(least=1)
    columns: tuple[int, ...] = bounded((), least=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary_sizes", tuple(self.vocabulary_sizes))
        object.__setattr__(self, "columns", tuple(self.columns))
        super().__post_init__()
        if self.columns and len(self.columns) != len(self.vocabulary_sizes):
            raise BlockError(
                f"{type(self).__name__} has {len(self.columns)} columns but "
                f"{len(self.vocabulary_sizes)} vocabulary sizes. It needs one size for each column."
            )

    def picked(self, table: Any) -> tuple[int, ...]:
        """Returns the mapped columns of an input of shape (batch_size, columns).

        Raises:
            BlockError: The input does not have these columns.
        """
        columns = self.columns or tuple(range(table.shape[1]))
        if len(columns) != len(self.vocabulary_sizes) or max(columns) >= table.shape[1]:
            raise BlockError(
                f"{type(self).__name__} maps {len(self.vocabulary_sizes)} columns"
                f"{f', the last at place {max(self.columns)}' if self.columns else ''}, but the "
                f"input has {table.shape[1]}."
            )
        return columns


@dataclass(frozen=True, kw_only=True)
class SparseFeatureMapper(ColumnsMapper):
    """Maps every categorical column to its own embedding.

    Args:
        vocabulary_sizes: Number of ids of each mapped column, "unknown" (id 0) included.
        columns: The mapped columns' places in the input, counted from 0; empty for all.
        embedding_dim: Width of the vectors.
        l2: Weight of the squared norms of the vectors, equal for all ids, divided by the number of
            training rows. All sparse mappers share this hyperparameter.
        one_table: Whether one table holds the vectors of all columns, so that one lookup is enough.
            The model is the same.

    Returns:
        Tensor of shape (batch_size, columns, embedding_dim).

    References:
        [Cheng et al., 2016](https://arxiv.org/abs/1606.07792)
    """

    ADAPTED: ClassVar[tuple[str, ...]] = ("l2",)
    THESIS: ClassVar[Mapping[str, Any]] = {"embedding_dim": choice(8, 16), "l2": 0.0}

    embedding_dim: int = choice(4, 8, 16, 32, default=8, least=1)
    l2: float = choice(3.0, 10.0, 30.0, 100.0, default=30.0, name="sparse_l2", least=0)
    one_table: bool = True

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the embeddings on the one input of ids, shape (batch_size, columns)."""
        table = self.only(inputs)
        columns = self.picked(table)
        sizes, dim = self.vocabulary_sizes, self.embedding_dim
        if self.one_table:
            return looked_up(table, columns, sizes, dim, self.l2)
        vectors = [
            looked_up(table, [column], [size], dim, self.l2)
            for column, size in zip(columns, sizes, strict=True)
        ]
        return vectors[0] if len(vectors) == 1 else keras.layers.Concatenate(axis=1)(vectors)
