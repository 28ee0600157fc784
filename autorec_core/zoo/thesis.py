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
"""What the thesis' experiments fix."""


class ThesisParts(Parts):
    """What the models are chained from in the space of the thesis."""

    @staticmethod
    def width(model: str, schema: Schema) -> int | Choice:
        """The experiments' width.

        Matrix factorisation has nothing else to search and keeps it open: with everything fixed,
        its ten trials would measure nothing but their seeds.
        """
        if model != "mf":
            return EMBEDDING_DIM
        widths: Choice = LatentFactorMapper.THESIS["embedding_dim"]
        return dataclasses.replace(widths, name="embedding_dim")

    @staticmethod
    def training(schema: Schema) -> Training:
        """Adam at one rate in batches of one size."""
        return Training.thesis()

    def block(self, kind: type[Block], **settings: Any) -> Block:
        """A block of this kind with the candidates of the thesis."""
        return kind.thesis(**settings)

    def pair(self) -> Nodes:
        """The user's and the item's latent vector."""
        return [self.latent("user"), self.latent("item")]

    @cached_property
    def linear(self) -> Nodes:
        """A bias of every id, and the weighted numbers."""
        columns, numbers = self.biases()
        biases = [BiasMapper.thesis(**columns)(self.ids)] if columns["columns"] else []
        return [*biases, *numbers]

    def searched_ratings(self) -> Nodes:
        """Interactors over two latent vectors of the user, two of the item, and other columns."""
        latent = [self.latent(role) for role in ("user", "user", "item", "item")]
        return self.searched([*latent, *self.others()])

    def searched(self, nodes: Nodes) -> Nodes:
        """The eight interactors of the thesis over these nodes."""
        return [HyperInteraction.thesis()(nodes)]

    def whole(self, nodes: Nodes) -> Nodes:
        """A model's own nodes alone."""
        return nodes

    @property
    def label_range(self) -> None:
        """Ratings are not kept anywhere."""
        return None
