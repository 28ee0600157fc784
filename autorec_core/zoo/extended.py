"""The extended search space. It adds to every model what helps on real data.

It adds biases of all ids, L2 on looked-up embeddings, predictions in the range of the ratings, and
user and item vectors that contain the history of the user and the item.
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
from autorec_core.mappers.latent_factor import LatentFactorMapper
from autorec_core.mappers.linear import LinearMapper
from autorec_core.mappers.rate import RateMapper
from autorec_core.mappers.rated_history import RatedHistoryMapper
from autorec_core.mappers.similar_items import SimilarItemsMapper
from autorec_core.optional import optional
from autorec_core.recipe import Training
from autorec_core.zoo.parts import Nodes, Parts, Role

MIN_HISTORY, MAX_HISTORY = 20, 300
MOST_SIMILAR, SIMILAR_CELLS = 8_000, 2**26
"""With more items, or more pairs of users and items, similar items take too much memory."""
HISTORY_CELLS = 50_000_000
"""Histories are shortened so that all of them together have at most this many places."""
HISTORY_SCORE_L2 = choice(3.0, 10.0, 30.0, default=10.0, name="history_score_l2")
RATED_DIM = choice(32, 64, default=32, name="rated_dim")
DECODER_L2 = choice(0.03, 0.06, default=0.03, name="decoder_l2")
PAIR: tuple[tuple[Role, Role], ...] = (("user", "item"), ("item", "user"))
CLICK_BIAS_L2 = choice(10.0, 30.0, 100.0, default=30.0, name="bias_l2")
"""Stronger than for ratings, because the click rates of ids already explain most of a bias."""
COLUMNS_L2 = choice(1.0, 3.0, 10.0, 30.0, default=3.0, name="sparse_l2")
COLUMNS_RATE = choice(0.003, 0.01, default=0.01)
COLUMNS_LAYERS = choice(1, 2, 3, default=2)
COLUMNS_DROPOUT = choice(0.0, 0.25, 0.5, default=0.0)
"""For ratings without users and items. On planted data, a stronger L2 prevents embeddings from
learning, a smaller learning rate ends on a plateau where the factors of a product are equal, and
dropout costs half of what a perceptron could learn. Dropout still helps if most ids are rare.
"""
LEAST_STEPS = 32
"""The fewest steps in an epoch of the extended space; with fewer, early stopping is too early."""


class ExtendedParts(Parts):
    """The parts of models in the extended space."""

    @staticmethod
    def width(model: str, schema: Schema) -> int | Choice:
        """Returns one shared hyperparameter, wider for ratings than for clicks."""
        dims = (4, 8, 16, 32) if schema.task == "ctr" else (16, 32, 64, 128)
        found: Choice = choice(*dims, default=dims[1], name="embedding_dim")
        return found

    @staticmethod
    def training(schema: Schema) -> Training:
        """Returns a searched recipe, with enough steps in an epoch even if there are few rows."""
        special = {"learning_rate": COLUMNS_RATE} if is_columns_alone(schema) else {}
        return Training(least_steps=LEAST_STEPS, **special)

    def block(self, kind: type[Block], **settings: Any) -> Block:
        """Makes a block of this kind with its default search space."""
        return kind(**settings)

    def pair(self) -> Nodes:
        """Makes the latent vectors of user and item, each with the vector of its history added."""
        add = ElementwiseInteraction(operation="sum")
        nodes = []
        for of, met in PAIR:
            history = optional(self.history(of, met), f"{of}_history")
            nodes.append(add([self.latent(of), history]))
        return nodes

    def history(self, of: Role, met: Role) -> Node:
        """Makes a vector of the training history of the row's user or item (`of`)."""
        mapper = HistoryMapper(**self.met(of, met), embedding_dim=self.embedding_dim)
        return mapper(self.ids)

    def history_scores(self) -> Nodes:
        """Makes a number of the user's and one of the item's history, to add to the score."""
        return [
            HistoryMapper(**self.met(of, met), embedding_dim=1, l2=HISTORY_SCORE_L2)(self.ids)
            for of, met in PAIR
        ]

    def autoencoder(self) -> Node:
        """Makes the score of an autoencoder of the ratings that the row's item has got."""
        ratings = RatedHistoryMapper(**self.met("item", "user"), embedding_dim=RATED_DIM)
        user, users = self.column("user")
        decoder = LatentFactorMapper(
            feat_column_id=user, id_num=users, embedding_dim=RATED_DIM, l2=DECODER_L2
        )
        return InnerProductInteraction()([ratings(self.ids), decoder(self.ids)])

    def met(self, of: Role, met: Role) -> dict[str, Any]:
        """Returns the arguments of a mapper of the history of the row's user or item (`of`)."""
        (key, key_num), (value, value_num) = self.column(of), self.column(met)
        return {
            "key_column": key,
            "value_column": value,
            "key_num": key_num,
            "value_num": value_num,
            "max_length": max(MIN_HISTORY, min(MAX_HISTORY, HISTORY_CELLS // key_num)),
        }

    @property
    def columns_l2(self) -> dict[str, Any]:
        """The L2 setting of mappers of columns; empty for the mappers' default."""
        return {"l2": COLUMNS_L2} if is_columns_alone(self.schema) else {}

    @cached_property
    def linear(self) -> Nodes:
        """A bias for every id, for clicks also its click rate, and the weighted numbers."""
        columns, numbers = self.biases()
        count = len(columns["columns"])
        if not count:
            return numbers
        if self.schema.task == "ranking":
            return [BiasMapper(**columns)(self.ids), *numbers, *self.similar()]
        if self.schema.task == "rating":
            return [optional(BiasMapper(**columns)(self.ids), "biases"), *numbers]
        # A compromise: rates that all say the same need weight 1 / columns, independent ones 1.
        rates = LinearMapper(start=count**-0.5)(RateMapper(**columns)(self.ids))
        biases = BiasMapper(**columns, l2=CLICK_BIAS_L2)(self.ids)
        return [optional(biases, "biases"), optional(rates, "click_rates"), *numbers]

    def similar(self) -> Nodes:
        """Makes the score of similar items, if the catalogue is not too large for it."""
        (user, user_num), (item, item_num) = self.column("user"), self.column("item")
        if item_num > MOST_SIMILAR or user_num * item_num > SIMILAR_CELLS:
            return []
        mapper = SimilarItemsMapper(
            user_column=user, item_column=item, user_num=user_num, item_num=item_num
        )
        return [mapper(self.ids)]

    def searched_ratings(self) -> Nodes:
        """Makes matrix factorisation, an autoencoder, scores of histories and searched interactors.

        The product of the two vectors is there by default, because no interactor learns as much
        from few rows.
        """
        pair = self.pair()
        nodes = [*pair, *self.others()]
        types, own = self.candidates(nodes)
        searched = HyperInteraction(
            meta_interactor_num=choice(0, 1, 2, 3), interactor_type=choice(*types), interactors=own
        )
        factors = optional(InnerProductInteraction()(pair), "factors")
        scores = [optional(node, "history_scores") for node in self.history_scores()]
        autoencoder = optional(self.autoencoder(), "autoencoder")
        return [factors, autoencoder, *scores, searched(nodes)]

    def searched_ranking(self) -> Nodes:
        """Makes similar items plus searched interactors.

        With a catalogue that is too large for similar items, the product of the vectors of user and
        item always stays instead.
        """
        pair = self.pair()
        nodes = [*pair, *self.others()]
        types, own = self.candidates(nodes)
        searched = HyperInteraction(
            meta_interactor_num=choice(1, 2),
            interactor_type=choice(*types, default=InnerProductInteraction.__name__)
            if InnerProductInteraction.__name__ in types
            else choice(*types),
            interactors=own,
        )
        product = [] if self.similar() else [InnerProductInteraction()(pair)]
        return [*product, searched(nodes)]

    def searched(self, nodes: Nodes) -> Nodes:
        """Makes a search over the interactors that can learn from these nodes."""
        types, own = self.candidates(nodes)
        searched = HyperInteraction(
            meta_interactor_num=choice(1, 2, 3),
            interactor_type=choice(*sorted(types), default="CrossNetInteraction"),
            interactors=own,
        )
        return [optional(searched(nodes), "branches")]

    def candidates(self, nodes: Nodes) -> tuple[list[str], tuple[Interactor, ...]]:
        """Returns the candidate types of a branch over these nodes, and those with other settings.

        Products of more than two vectors are left out: vectors start near zero, so the product and
        its gradient are too close to zero to learn.
        """
        columns = len(self.schema.categorical) + len(self.schema.lists) + len(self.schema.numeric)
        columns -= self.schema.user_day is not None  # which has no vector
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
        """Returns a model's nodes, plus the linear part if the model does not have it."""
        return [*nodes, *(node for node in self.linear if node not in nodes)]

    @property
    def label_range(self) -> tuple[float, float] | None:
        """The range of the training ratings."""
        return self.schema.label_range


def is_columns_alone(schema: Schema) -> bool:
    """Returns whether the task is rating and the data have neither a user nor an item column."""
    return schema.task == "rating" and schema.user is None and schema.item is None
