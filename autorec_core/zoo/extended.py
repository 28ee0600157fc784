"""The extended search space: what helps on real data, added to every model.

Biases of all ids, L2 on looked-up embeddings, predictions that stay in the range of the ratings,
and user and item vectors that know whom and what they have met.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from autorec_core.block import Block, Choice, Node, choice
from autorec_core.data.schema import Schema
from autorec_core.interactors.base import Interactor
from autorec_core.interactors.elementwise import OPERATIONS, ElementwiseInteraction
from autorec_core.interactors.hyper import HyperInteraction, searchable
from autorec_core.interactors.inner_product import InnerProductInteraction
from autorec_core.interactors.mlp import MLPInteraction
from autorec_core.mappers.bias import BiasMapper
from autorec_core.mappers.history import HistoryMapper
from autorec_core.mappers.linear import LinearMapper
from autorec_core.mappers.rate import RateMapper
from autorec_core.recipe import Training
from autorec_core.zoo.parts import Nodes, Parts, Role

MIN_HISTORY, MAX_HISTORY = 20, 300
HISTORY_CELLS = 50_000_000
"""Histories are cut where all of them together would take more places than this."""
CLICK_BIAS_L2 = choice(10.0, 30.0, 100.0, default=30.0, name="bias_l2")
"""Stronger than for ratings: beside the rates of ids, a bias is what the rate does not say."""
COLUMNS_L2 = choice(1.0, 3.0, 10.0, 30.0, default=3.0, name="sparse_l2")
COLUMNS_RATE = choice(0.003, 0.01, default=0.01)
COLUMNS_LAYERS = choice(1, 2, 3, default=2)
COLUMNS_DROPOUT = choice(0.0, 0.25, 0.5, default=0.0)
"""Of ratings without users and items. On planted data more L2 keeps embeddings from what there is
to learn, smaller steps end on the plateau on which a product's factors are alike, and dropout
costs half of what a perceptron could learn; where most ids are rare, it still pays.
"""
LEAST_STEPS = 32
"""Of an epoch in the extended space: fewer, and early stopping comes before convergence."""


class ExtendedParts(Parts):
    """What the models are chained from in the extended space."""

    @staticmethod
    def width(model: str, schema: Schema) -> int | Choice:
        """One hyperparameter, wider for ratings than for clicks."""
        dims = (16, 32, 64, 128) if schema.task == "rating" else (4, 8, 16, 32)
        found: Choice = choice(*dims, default=dims[1], name="embedding_dim")
        return found

    @staticmethod
    def training(schema: Schema) -> Training:
        """A searched recipe, with enough steps an epoch where rows are few."""
        special = {"learning_rate": COLUMNS_RATE} if is_columns_alone(schema) else {}
        return Training(least_steps=LEAST_STEPS, **special)

    def block(self, kind: type[Block], **settings: Any) -> Block:
        """A block of this kind with its own candidates."""
        return kind(**settings)

    def pair(self) -> Nodes:
        """The user's and the item's latent vector, each with its history added."""
        add = ElementwiseInteraction(operation="sum")
        return [
            add([self.latent("user"), self.history("user", "item")]),
            add([self.latent("item"), self.history("item", "user")]),
        ]

    def history(self, of: Role, met: Role) -> Node:
        """What the row's user (or item) has met in training: a vector of the history of `of`."""
        (key, key_num), (value, value_num) = self.column(of), self.column(met)
        mapper = HistoryMapper(
            key_column=key,
            value_column=value,
            key_num=key_num,
            value_num=value_num,
            embedding_dim=self.embedding_dim,
            max_length=max(MIN_HISTORY, min(MAX_HISTORY, HISTORY_CELLS // key_num)),
        )
        return mapper(self.ids)

    @property
    def columns_l2(self) -> dict[str, Any]:
        """The L2 of embedded columns, where it is not their mappers' own."""
        return {"l2": COLUMNS_L2} if is_columns_alone(self.schema) else {}

    @cached_property
    def linear(self) -> Nodes:
        """A bias of every id, for clicks its rate as well, and the weighted numbers."""
        columns, numbers = self.biases()
        count = len(columns["columns"])
        if not count:
            return numbers
        if self.schema.task == "rating":
            return [BiasMapper(**columns)(self.ids), *numbers]
        # Between rates that agree, 1 / columns each, and rates that add up, 1 each.
        rates = LinearMapper(start=count**-0.5)(RateMapper(**columns)(self.ids))
        return [BiasMapper(**columns, l2=CLICK_BIAS_L2)(self.ids), rates, *numbers]

    def searched_ratings(self) -> Nodes:
        """Matrix factorisation, and interactors that are searched to be added to it.

        Nothing that is learnt from so few rows replaces the product of the two vectors.
        """
        pair = self.pair()
        nodes = [*pair, *self.others()]
        types, own = self.candidates(nodes)
        searched = HyperInteraction(
            meta_interactor_num=choice(0, 1, 2, 3), interactor_type=choice(*types), interactors=own
        )
        return [InnerProductInteraction()(pair), searched(nodes)]

    def searched(self, nodes: Nodes) -> Nodes:
        """Interactors that can learn from these nodes."""
        types, own = self.candidates(nodes)
        searched = HyperInteraction(
            meta_interactor_num=choice(1, 2, 3),
            interactor_type=choice(*sorted(types), default="CrossNetInteraction"),
            interactors=own,
        )
        return [searched(nodes)]

    def candidates(self, nodes: Nodes) -> tuple[list[str], tuple[Interactor, ...]]:
        """What a searched branch over these nodes may be, and which of it has its own settings.

        All that can learn there: vectors begin near zero, and so does their product, which for more
        than two of them no gradient moves from there.
        """
        columns = len(self.schema.categorical) + len(self.schema.lists) + len(self.schema.numeric)
        vectors = len(nodes) if len(nodes) > 1 else columns
        special: dict[str, Interactor] = {}
        if vectors > 2:
            kept = (name for name in OPERATIONS if name != "multiply")
            elementwise = ElementwiseInteraction(operation=choice(*kept, default="average"))
            special[ElementwiseInteraction.__name__] = elementwise
        if is_columns_alone(self.schema):
            special[MLPInteraction.__name__] = MLPInteraction(
                num_layers=COLUMNS_LAYERS, dropout_rate=COLUMNS_DROPOUT
            )
        names, own = [], []
        for name in searchable():
            plain = cast(Interactor, Block.registry[name]())
            interactor = special.get(name, plain).narrowed(vectors)
            if interactor is None or (vectors > 2 and name == InnerProductInteraction.__name__):
                continue
            names.append(name)
            if interactor != plain:
                own.append(interactor)
        return names, tuple(own)

    def whole(self, nodes: Nodes) -> Nodes:
        """A model's nodes, and the linear part where it has none of its own."""
        return [*nodes, *(node for node in self.linear if node not in nodes)]

    @property
    def label_range(self) -> tuple[float, float] | None:
        """The range of the training ratings."""
        return self.schema.label_range


def is_columns_alone(schema: Schema) -> bool:
    """Whether these are ratings of which no column is a user's or an item's."""
    return schema.task == "rating" and schema.user is None and schema.item is None
