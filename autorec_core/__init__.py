"""AutoRec's library: recommenders that are chained from searchable Keras blocks.

Importing this package is fast; TensorFlow is imported with the first name that needs it. Every
block is a name of this package. After `import autorec_core`, Keras can load saved models (see
`registration`).
"""

from __future__ import annotations

import importlib
from typing import Any

from autorec_core import registration

_HOMES = {
    "CTRRecommender": "recommender",
    "Input": "recommender",
    "RPRecommender": "recommender",
    "RankingRecommender": "recommender",
    "Recommender": "recommender",
    "Schema": "data.schema",
    "Scorer": "scorer",
    "Search": "search",
    "choice": "block",
}

registration.install()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    registration.register_layers()
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    from autorec_core.block import Block

    if name in Block.registry and Block.registry[name].public:
        return Block.registry[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    registration.register_layers()
    from autorec_core.block import Block

    public = (name for name, block in Block.registry.items() if block.public)
    return sorted({*_HOMES, *public})
