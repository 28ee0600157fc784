"""Finds the positions of few or many texts in a long list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FEW = 2048
"""Up to this many texts are looked up one by one in a dict; more are looked up by Arrow."""
NOWHERE = -1
"""The place of a text that is not in the list."""


@dataclass(frozen=True, eq=False)
class Index:
    """A list of different texts in which positions can be found.

    Args:
        texts: The texts, without null.
    """

    texts: pa.Array

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.texts.to_pylist())}

    def find(self, wanted: pa.Array | Sequence[str]) -> np.ndarray:
        """Returns the positions of texts: int64, shape (wanted,), `NOWHERE` if not in the list."""
        if len(wanted) <= FEW:
            texts = wanted.to_pylist() if isinstance(wanted, pa.Array) else wanted
            return np.array([self._places.get(one, NOWHERE) for one in texts], dtype=np.int64)
        found = pc.index_in(pa.array(wanted, pa.string()), value_set=self.texts)
        places: np.ndarray = pc.fill_null(found, NOWHERE).to_numpy(zero_copy_only=False)
        return places.astype(np.int64)
