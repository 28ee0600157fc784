"""The search space of the thesis: every model is what the thesis says."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

from autorec_core.block import Block, Choice
from autorec_core.data.schema import Schema
from autorec_core.interactors.hyper import HyperInteraction
from autorec_core.mappers.bias import BiasMapper
from autorec_core.mappers.latent_factor import LatentFactorMapper
from autorec_core.recipe import Training
from autorec_core.zoo.parts import Nodes, Parts

EMBEDDING_DIM = 64
"""The width of embeddings in the thesis' experiments."""


class ThesisParts(Parts):
    """The parts of models in the search space of the thesis."""

    @staticmethod
    def width(model: str, schema: Schema) -> int | Choice:
        """Returns the width in the thesis' experiments, but a choice for matrix factorisation.

        Matrix factorisation has no other choice. Without this one, its trials would only differ in
        their seeds.
        """
        if model != "mf":
            return EMBEDDING_DIM
        widths: Choice = LatentFactorMapper.THESIS["embedding_dim"]
        return dataclasses.replace(widths, name="embedding_dim")

    @staticmethod
    def training(schema: Schema) -> Training:
        """Returns Adam with a fixed learning rate and batch size."""
        return Training.thesis()

    def block(self, kind: type[Block], **settings: Any) -> Block:
        """Makes a block of this kind with the candidates of the thesis."""
        return kind.thesis(**settings)

    def pair(self) -> Nodes:
        """Makes the latent vectors of user and item."""
        return [self.latent("user"), self.latent("item")]

    @cached_property
    def linear(self) -> Nodes:
        """A bias for every id, and the weighted numbers."""
        columns, numbers = self.biases()
        biases = [BiasMapper.thesis(**columns)(self.ids)] if columns["columns"] else []
        return [*biases, *numbers]

    def searched_ratings(self) -> Nodes:
        """Makes a search over two latent vectors of the user, two of the item, and all others."""
        latent = [self.latent(role) for role in ("user", "user", "item", "item")]
        return self.searched([*latent, *self.others()])

    def searched_ranking(self) -> Nodes:
        """Makes the same search as for ratings."""
        return self.searched_ratings()

    def searched(self, nodes: Nodes) -> Nodes:
        """Makes a search over the eight interactors of the thesis."""
        return [HyperInteraction.thesis()(nodes)]

    def whole(self, nodes: Nodes) -> Nodes:
        """Returns the model's nodes unchanged."""
        return nodes

    @property
    def label_range(self) -> None:
        """None: predicted ratings are not kept in a range."""
        return None
