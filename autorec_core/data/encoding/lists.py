"""Looks up the ids of multi-valued columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.vocabulary import Vocabulary
from autorec_core.data.schema import ListField


def list_ids(
    column: pa.Array | list[str | None], one: ListField, vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray]:
    """Looks up the ids of a multi-valued column.

    Returns:
        int32 ids, shape (rows, length), 0 after the end of a list; and for each row the number of
        places that hold an id, including "unknown" and "missing": int64, shape (rows,).
    """
    cells = pa.array(column, pa.string()) if isinstance(column, list) else column
    cells = values.join_cells(cells, one.separator)
    found, rows = values.split_cells(cells, one.separator)
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = places < one.length
    ids = np.zeros((len(cells), one.length), dtype=np.int32)
    ids[rows[kept], places[kept]] = vocabulary.lookup(found)[kept]
    is_missing = cells.is_null().to_numpy(zero_copy_only=False)
    ids[is_missing, 0] = vocabulary.missing
    return ids, np.bincount(rows[kept], minlength=len(cells)) + is_missing
