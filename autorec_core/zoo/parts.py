"""What ready models are chained from, whatever the search space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from autorec_core.block import Block, Choice, Node
from autorec_core.data.schema import Schema
from autorec_core.errors import ConfigError
from autorec_core.mappers.dense_feature import DenseFeatureMapper
from autorec_core.mappers.latent_factor import LatentFactorMapper
from autorec_core.mappers.linear import LinearMapper
from autorec_core.mappers.pooled_feature import PooledFeatureMapper
from autorec_core.mappers.sparse_feature import SparseFeatureMapper
from autorec_core.optimizers import (
    CTRPredictionOptimizer,
    RatingPredictionOptimizer,
    TaskOptimizer,
)
from autorec_core.recipe import Training
from autorec_core.recommender import CTRRecommender, Input, Recommender, RPRecommender

Role = Literal["user", "item"]
Nodes = list[Node]


@dataclass
class Parts(ABC):
    """What the models are chained from, for one data set. Each search space is a subclass.

    Args:
        schema: What the data look like.
        embedding_dim: Width of all embeddings: a number, or one shared hyperparameter.
    """

    schema: Schema
    embedding_dim: Any
    ids: Node = field(init=False)
    numbers: Node = field(init=False)

    def __post_init__(self) -> None:
        self.ids = Input(shape=[len(self.schema.id_columns)], name="categorical", dtype="int32")
        self.numbers = Input(shape=[len(self.schema.numeric)], name="numeric", dtype="float32")

    @staticmethod
    @abstractmethod
    def width(model: str, schema: Schema) -> int | Choice:
        """The width of all embeddings of a model in this space."""

    @staticmethod
    @abstractmethod
    def training(schema: Schema) -> Training:
        """How candidates are trained in this space."""

    @abstractmethod
    def block(self, kind: type[Block], **settings: Any) -> Block:
        """A block of this kind with the candidates that it has in this space."""

    @abstractmethod
    def pair(self) -> Nodes:
        """The user's and the item's vector."""

    @cached_property
    @abstractmethod
    def linear(self) -> Nodes:
        """What every id and every number adds to the score by itself."""

    @abstractmethod
    def searched_ratings(self) -> Nodes:
        """AutoRec's searched part for the ratings of users and items."""

    @abstractmethod
    def searched(self, nodes: Nodes) -> Nodes:
        """AutoRec's searched part over some nodes."""

    @abstractmethod
    def whole(self, nodes: Nodes) -> Nodes:
        """A model's nodes, with what every model of this space has beside its own."""

    @property
    @abstractmethod
    def label_range(self) -> tuple[float, float] | None:
        """Where ratings are kept; None for anywhere."""

    @property
    def columns_l2(self) -> dict[str, Any]:
        """The L2 of embedded columns, where it is not their mappers' own."""
        return {}

    def optimizer(self) -> tuple[TaskOptimizer, type[Recommender]]:
        """The end of every model's chain, and the recommender that it ends."""
        if self.schema.task == "ctr":
            return CTRPredictionOptimizer(), CTRRecommender
        return RatingPredictionOptimizer(label_range=self.label_range), RPRecommender

    def others(self) -> Nodes:
        """An embedding of every column but the user's and the item's."""
        besides = (self.schema.user, self.schema.item)
        return [*self.sparse(besides=besides), *self.pooled(), *self.dense()]

    def biases(self) -> tuple[dict[str, Any], Nodes]:
        """What the mappers of all ids are told, and the weighted numbers."""
        sizes = tuple(column.vocabulary_size for column in self.schema.categorical)
        columns = {"vocabulary_sizes": sizes, "columns": tuple(range(len(sizes)))}
        return columns, [LinearMapper()(self.numbers)] if self.schema.numeric else []

    def latent(self, role: Role) -> Node:
        """A latent vector of the row's user or item."""
        column, size = self.column(role)
        mapper = self.block(
            LatentFactorMapper,
            feat_column_id=column,
            id_num=size,
            embedding_dim=self.embedding_dim,
        )
        return mapper(self.ids)

    def column(self, role: Role) -> tuple[int, int]:
        """The place of the user's or item's column, and its number of ids."""
        place = self.schema.position(getattr(self.schema, role))
        return place, self.schema.categorical[place].vocabulary_size

    def sparse(self, *, besides: tuple[str | None, ...] = ()) -> Nodes:
        """An embedding of every categorical column."""
        kept = [
            (place, column.vocabulary_size)
            for place, column in enumerate(self.schema.categorical)
            if column.name not in besides
        ]
        if not kept:
            return []
        columns, sizes = zip(*kept, strict=True)
        mapper = self.block(
            SparseFeatureMapper,
            columns=columns,
            vocabulary_sizes=sizes,
            embedding_dim=self.embedding_dim,
            **self.columns_l2,
        )
        return [mapper(self.ids)]

    def dense(self, output: Any = "fields") -> Nodes:
        """An embedding of every numeric column, or one of all of them (`output="mlp"`)."""
        if not self.schema.numeric:
            return []
        settings = {"embedding_dim": self.embedding_dim, "output": output}
        return [self.block(DenseFeatureMapper, **settings)(self.numbers)]

    def pooled(self) -> Nodes:
        """The mean embedding of every multi-valued column."""
        return [
            self.block(
                PooledFeatureMapper,
                first_column=self.schema.first_place(one),
                length=one.length,
                vocabulary_size=one.vocabulary_size,
                embedding_dim=self.embedding_dim,
                **self.columns_l2,
            )(self.ids)
            for one in self.schema.lists
        ]

    def embeddings(self) -> Nodes:
        """An embedding of every column."""
        return [*self.sparse(), *self.pooled(), *self.dense()]

    def needs_user_and_item(self, model: str) -> None:
        """Checks that the data say which columns hold the user and the item."""
        if self.schema.user is None or self.schema.item is None:
            raise ConfigError(
                f"{model} is made for a user and an item column, and this data set names none. "
                f"Name them in its entry of params.yaml (`user`, `item`), or choose another model."
            )
