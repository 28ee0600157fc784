"""Scores all pairs of users and candidates, but encodes each user and each candidate only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.schema import Examples
from autorec_core.evaluation.item_rows import crossed
from autorec_core.scorer import Scorer


class TableScorer(Protocol):
    """What scores raw rows given as an Arrow table, such as a `Scorer`."""

    def score_table(self, table: pa.Table) -> np.ndarray:
        """Scores rows: shape (rows,)."""


Side = TypeVar("Side")
"""One side of the pairs, users or candidates, ready to be combined with the other."""


class Pairs(Protocol[Side]):
    """Scores pairs of users and candidates."""

    def side(self, table: pa.Table) -> Side:
        """Prepares one side of the pairs from a table with some columns of the model."""

    def scores(self, users: Side, candidates: Side, first: int, last: int) -> np.ndarray:
        """Scores the users from `first` to before `last`: float32, shape (users, candidates)."""


@dataclass(frozen=True, eq=False)
class EncodedSide:
    """The encoded rows of the users or of the candidates.

    Args:
        rows: The encoded rows; columns that the table lacks have no meaning.
        ids: bool, which of the columns of ids are this side's.
        numbers: bool, which of the columns of numbers are.
    """

    rows: Examples
    ids: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class EncodedPairs:
    """Scores pairs with a scorer in this process.

    Args:
        scorer: The scorer.
    """

    scorer: Scorer

    def side(self, table: pa.Table) -> EncodedSide:
        """Encodes a table that holds some columns of the model."""
        preprocessor, count = self.scorer.preprocessor, table.num_rows
        columns = {
            name: values.plain(table[name])
            if name in table.column_names
            else pa.nulls(count, pa.string() if name in preprocessor.vocabularies else pa.float64())
            for name in self.scorer.columns
        }
        ids, numbers = _raw_names(preprocessor)
        return EncodedSide(
            preprocessor.encode_columns(columns, count),
            np.isin(ids, table.column_names),
            np.isin(numbers, table.column_names),
        )

    def scores(
        self, users: EncodedSide, candidates: EncodedSide, first: int, last: int
    ) -> np.ndarray:
        """Scores the users from `first` to before `last`: float32, shape (users, candidates)."""
        left, right = users.rows, candidates.rows
        count = (last - first) * len(candidates)
        rows = Examples(
            crossed(left.categorical[first:last], right.categorical, users.ids, candidates.ids),
            crossed(left.numeric[first:last], right.numeric, users.numbers, candidates.numbers),
            np.zeros(count, np.float32),
        )
        return self.scorer.score_encoded(rows.inputs(), count).reshape(-1, len(candidates))


@dataclass(frozen=True)
class TablePairs:
    """Scores pairs with a scorer that only takes raw rows, such as one in another process.

    Args:
        scorer: The scorer.
    """

    scorer: TableScorer

    def side(self, table: pa.Table) -> pa.Table:
        """Returns the table itself."""
        return table

    def scores(self, users: pa.Table, candidates: pa.Table, first: int, last: int) -> np.ndarray:
        """Scores the users from `first` to before `last`: float32, shape (users, candidates)."""
        left = users.take(pa.array(np.repeat(np.arange(first, last), len(candidates))))
        right = candidates.take(pa.array(np.tile(np.arange(len(candidates)), last - first)))
        rows = pa.table(
            [*left.columns, *right.columns], names=[*left.column_names, *right.column_names]
        )
        return np.asarray(self.scorer.score_table(rows), np.float32).reshape(-1, len(candidates))


def _raw_names(preprocessor: Preprocessor) -> tuple[list[str], list[str]]:
    """Returns the raw column that each encoded column of ids, and of numbers, is made from.

    The columns of a side table are made from the column with its keys.
    """
    schema, numeric = preprocessor.schema, preprocessor.numeric
    lists = [one.name for one in schema.lists for _ in range(one.length)]
    ids = [*(field.name for field in schema.categorical), *lists]
    numbers = [*numeric.names, *numeric.flagged]
    keys = schema.joined
    return [keys.get(name, name) for name in ids], [keys.get(name, name) for name in numbers]
