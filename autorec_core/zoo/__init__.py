"""Ready models: each is a few lines of chained blocks that any oracle can tune.

A model is a function. It takes the parts that suit the data, and returns the nodes that the task
optimizer adds up. The thesis space follows the thesis. The extended space adds to every model what
helps on real data.
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
"""The parts of each search space."""


def build(
    name: str, schema: Schema, space: Space = "extended", training: Training | None = None
) -> Recommender:
    """Makes the recommender of a ready model for data of this schema.

    Args:
        name: A key of `MODELS`, or "auto" for AutoRec with the schema's task.
        schema: The schema of the data.
        space: "thesis" for the search space of the thesis, "extended" for a larger one.
        training: How candidates are trained; by default the recipe of `space`.

    Raises:
        ConfigError: There is no such model or space, or the model cannot work with such data.
    """
    if name == "auto":
        named = schema.user is not None and schema.item is not None
        of_task = {"rating": "autorec_rp", "ranking": "autorec_ranking"}
        name = of_task.get(schema.task, "autorec_ctr") if named else "autorec_ctr"
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
