"""Ready models: each a few lines of chained blocks, tuned by any searcher.

A model is a function from the parts that the data offer to the nodes that its task optimizer adds
up. In the thesis' space a model is what the thesis says; the extended space adds what helps on real
data to every model.
"""

from __future__ import annotations

from typing import Literal

from autorec_core.data.schema import Schema
from autorec_core.errors import ConfigError
from autorec_core.recipe import Training
from autorec_core.recommender import Recommender
from autorec_core.zoo.extended import LEAST_STEPS, ExtendedParts
from autorec_core.zoo.models import MODELS, autorec_ctr
from autorec_core.zoo.parts import Parts
from autorec_core.zoo.thesis import ThesisParts

__all__ = [
    "LEAST_STEPS",
    "MODELS",
    "SPACES",
    "ExtendedParts",
    "Parts",
    "Space",
    "ThesisParts",
    "autorec_ctr",
    "build",
]

Space = Literal["extended", "thesis"]
SPACES: dict[str, type[Parts]] = {"extended": ExtendedParts, "thesis": ThesisParts}
"""What models are chained from, by search space."""


def build(
    name: str, schema: Schema, space: Space = "extended", training: Training | None = None
) -> Recommender:
    """The ready model `name` for data of this schema, not yet decided.

    Args:
        name: A key of `MODELS`, or "auto": AutoRec for the schema's task.
        schema: What the data look like.
        space: "thesis" for the search space of the thesis, "extended" for what helps beyond it.
        training: How candidates are trained; by default as `space` has it.

    Raises:
        ConfigError: There is no such model or space, or the model cannot work with such data.
    """
    if name == "auto":
        named = schema.task == "rating" and schema.user is not None and schema.item is not None
        name = "autorec_rp" if named else "autorec_ctr"
    if name not in MODELS:
        known = ", ".join(["auto", *MODELS])
        raise ConfigError(f"Unknown model {name!r} in `model.name`. Known models: {known}.")
    if space not in SPACES:
        known = ", ".join(SPACES)
        raise ConfigError(f"Unknown space {space!r} in `model.space`. Known: {known}.")
    parts = SPACES[space](schema, SPACES[space].width(name, schema))
    nodes = parts.whole(MODELS[name](parts))
    optimizer, kind = parts.optimizer()
    inputs = tuple(
        node
        for node, columns in ((parts.ids, schema.id_columns), (parts.numbers, schema.numeric))
        if columns
    )
    recipe = training or parts.training(schema)
    return kind(inputs=inputs, outputs=optimizer(nodes), training=recipe)
