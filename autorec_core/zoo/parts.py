"""The parts that ready models are chained from, in any search space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from autorec_core.block import Block, Choice, Node
from autorec_core.data.schema import Schema
from autorec_core.errors import ConfigError
from autorec_core.mappers.day_bias import DayBiasMapper
from autorec_core.mappers.dense_feature import DenseFeatureMapper
from autorec_core.mappers.latent_factor import LatentFactorMapper
from autorec_core.mappers.linear import LinearMapper
from autorec_core.mappers.pooled_feature import PooledFeatureMapper
from autorec_core.mappers.sparse_feature import SparseFeatureMapper
from autorec_core.optimizers import (
    CTRPredictionOptimizer,
    RankingOptimizer,
    RatingPredictionOptimizer,
    TaskOptimizer,
)
from autorec_core.recipe import Training
from autorec_core.recommender import (
    CTRRecommender,
    Input,
    RankingRecommender,
    Recommender,
    RPRecommender,
)

Role = Literal["user", "item"]
Nodes = list[Node]


@dataclass
class Parts(ABC):
    """The parts of models for one data set. Each search space is a subclass.

    Args:
        schema: The schema of the data.
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
        """Returns the width of all embeddings of a model in this space."""

    @staticmethod
    @abstractmethod
    def training(schema: Schema) -> Training:
        """Returns the recipe of this space."""

    @abstractmethod
    def block(self, kind: type[Block], **settings: Any) -> Block:
        """Makes a block of this kind with its candidates in this space."""

    @abstractmethod
    def pair(self) -> Nodes:
        """Makes the vectors of user and item."""

    @cached_property
    @abstractmethod
    def linear(self) -> Nodes:
        """The linear part of the score: a number for every id and every numeric column."""

    @abstractmethod
    def searched_ratings(self) -> Nodes:
        """Makes AutoRec's searched part for ratings of items by users."""

    @abstractmethod
    def searched_ranking(self) -> Nodes:
        """Makes AutoRec's searched part for the items that users took."""

    @abstractmethod
    def searched(self, nodes: Nodes) -> Nodes:
        """Makes AutoRec's searched part over `nodes`."""

    @abstractmethod
    def whole(self, nodes: Nodes) -> Nodes:
        """Returns a model's nodes plus the nodes that this space adds to every model."""

    @property
    @abstractmethod
    def label_range(self) -> tuple[float, float] | None:
        """The range in which predicted ratings are kept; None for no range."""

    @property
    def columns_l2(self) -> dict[str, Any]:
        """The L2 setting of mappers of columns; empty for the mappers' default."""
        return {}

    def optimizer(self) -> tuple[TaskOptimizer, type[Recommender]]:
        """Returns the task optimizer and the class of the recommender."""
        if self.schema.task == "ctr":
            return CTRPredictionOptimizer(), CTRRecommender
        if self.schema.task == "ranking":
            return self.ranking_optimizer(), RankingRecommender
        return RatingPredictionOptimizer(label_range=self.label_range), RPRecommender

    def ranking_optimizer(self) -> RankingOptimizer:
        """Returns the task optimizer for interactions of users with items."""
        sampling = self.schema.negatives
        assert sampling is not None  # an entry with this task has it
        (user, _), (item, _) = self.column("user"), self.column("item")
        return RankingOptimizer(
            input_name=self.ids.name,
            user_column=user,
            item_column=item,
            per_positive=sampling.per_positive,
            by=sampling.by,
        )

    def others(self) -> Nodes:
        """Makes an embedding of every column except user, item and user days."""
        without = (self.schema.user, self.schema.item)
        return [*self.sparse(without=without), *self.pooled(), *self.dense()]

    def biases(self) -> tuple[dict[str, Any], Nodes]:
        """Returns the arguments of mappers of id columns, and the other parts of a linear score.

        These are the weighted numbers, and the biases of users' days, which have their own L2.
        """
        kept = [
            (place, column.vocabulary_size)
            for place, column in enumerate(self.schema.categorical)
            if column.name != self.schema.user_day
        ]
        columns = {
            "vocabulary_sizes": tuple(size for _, size in kept),
            "columns": tuple(place for place, _ in kept),
        }
        others = [LinearMapper()(self.numbers)] if self.schema.numeric else []
        if (day := self.schema.user_day) is not None:
            place = self.schema.position(day)
            size = self.schema.categorical[place].vocabulary_size
            mapper = self.block(DayBiasMapper, feat_column_id=place, id_num=size)
            others.append(mapper(self.ids))
        return columns, others

    def latent(self, role: Role) -> Node:
        """Makes a latent vector of the row's user or item."""
        column, size = self.column(role)
        mapper = self.block(
            LatentFactorMapper,
            feat_column_id=column,
            id_num=size,
            embedding_dim=self.embedding_dim,
        )
        return mapper(self.ids)

    def column(self, role: Role) -> tuple[int, int]:
        """Returns the place of the user or item column, and its number of ids."""
        place = self.schema.position(getattr(self.schema, role))
        return place, self.schema.categorical[place].vocabulary_size

    def sparse(self, *, without: tuple[str | None, ...] = ()) -> Nodes:
        """Makes an embedding of every categorical column that is not in `without`.

        Users' days have a bias only, because a day of one user has too few rows for a vector.
        """
        kept = [
            (place, column.vocabulary_size)
            for place, column in enumerate(self.schema.categorical)
            if column.name not in (*without, self.schema.user_day)
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
        """Makes an embedding of every numeric column, or one for all (`output="mlp"`)."""
        if not self.schema.numeric:
            return []
        settings = {"embedding_dim": self.embedding_dim, "output": output}
        return [self.block(DenseFeatureMapper, **settings)(self.numbers)]

    def pooled(self) -> Nodes:
        """Makes the mean embedding of every multi-valued column."""
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
        """Makes an embedding of every column."""
        return [*self.sparse(), *self.pooled(), *self.dense()]

    def needs_user_and_item(self, model: str) -> None:
        """Checks that the data set names a user and an item column.

        Raises:
            ConfigError: It does not.
        """
        if self.schema.user is None or self.schema.item is None:
            raise ConfigError(
                f"{model} needs a user and an item column, but this data set does not name both. "
                f"Name them in its entry of params.yaml (`user`, `item`), or choose another model."
            )
