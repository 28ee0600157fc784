"""The users and items that a model was trained on, and how often training saw each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.vocabulary import Vocabulary
from autorec_core.errors import DataError
from autorec_core.recommending.index import Index


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The users and items that a model knows, both sorted by their ids as text.

    Args:
        user: The name of the user column.
        item: The name of the item column.
        users: The users of the training rows.
        items: The items of the training rows.
        counts: int64, how many training rows each item has, shape (items,).
    """

    user: str
    item: str
    users: Index
    items: Index
    counts: np.ndarray

    @classmethod
    def of(cls, preprocessor: Preprocessor) -> Catalogue:
        """Makes the catalogue of a model.

        Raises:
            DataError: The data set of the model has no user column or no item column.
        """
        schema = preprocessor.schema
        if schema.user is None or schema.item is None:
            lacking = " and ".join(
                f"no `{role}`" for role in ("user", "item") if getattr(schema, role) is None
            )
            raise DataError(
                f"The data set of the model has {lacking} column, and recommending needs both. "
                "Set `user` and `item` in its entry in params.yaml and train again."
            )
        users, _ = _sorted(preprocessor.vocabularies[schema.user])
        items, counts = _sorted(preprocessor.vocabularies[schema.item])
        return cls(schema.user, schema.item, Index(users), Index(items), counts)


def _sorted(vocabulary: Vocabulary) -> tuple[pa.Array, np.ndarray]:
    """Returns the categories without "missing", sorted as text, and their counts."""
    known = vocabulary.values.is_valid()
    texts = vocabulary.values.filter(known).cast(pa.string())
    order = pc.sort_indices(texts)
    counts = vocabulary.counts.filter(known).take(order).to_numpy(zero_copy_only=False)
    return texts.take(order), counts.astype(np.int64)
