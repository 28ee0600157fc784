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
    """Who and what a model knows. Both lists are in the order of their ids as text.

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
        """The catalogue of a model.

        Raises:
            DataError: Its data set has no user or no item column.
        """
        schema = preprocessor.schema
        if schema.user is None or schema.item is None:
            lacking = " and ".join(
                f"no `{role}`" for role in ("user", "item") if getattr(schema, role) is None
            )
            raise DataError(
                f"The model's data set names {lacking} column, so there is nobody to recommend "
                "to or nothing to recommend: set both in its entry in params.yaml and train again."
            )
        users, _ = _sorted(preprocessor.vocabularies[schema.user])
        items, counts = _sorted(preprocessor.vocabularies[schema.item])
        return cls(schema.user, schema.item, Index(users), Index(items), counts)


def _sorted(vocabulary: Vocabulary) -> tuple[pa.Array, np.ndarray]:
    """The categories but "missing", in the order of text, and their counts."""
    known = vocabulary.values.is_valid()
    texts = vocabulary.values.filter(known).cast(pa.string())
    order = pc.sort_indices(texts)
    counts = vocabulary.counts.filter(known).take(order).to_numpy(zero_copy_only=False)
    return texts.take(order), counts.astype(np.int64)
