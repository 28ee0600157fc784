"""Scores all pairs of users and candidates, and does what is one side's only once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.recommending.two_sides import Columns, ItemChunk, TwoSides
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

    def scores(
        self, users: Side, candidates: Side, first: int, last: int, wanted: np.ndarray
    ) -> np.ndarray:
        """Scores the users from `first` to before `last`: float32, shape (users, candidates).

        Args:
            users: The side of the users.
            candidates: The side of the candidates.
            first: The first user.
            last: The user after the last one.
            wanted: Which scores are wanted, bool, of the same shape; the others may be wrong.
        """


@dataclass(frozen=True, eq=False)
class EncodedSide:
    """The encoded rows of the users or of the candidates.

    Args:
        rows: The encoded rows by model input; columns that the table lacks have no meaning.
        own: By model input, which of its columns are this side's: bool, shape (columns,).
        count: Number of rows.
    """

    rows: dict[str, np.ndarray]
    own: dict[str, np.ndarray]
    count: int
    _computed: dict[int, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.count

    def computed(self, model: TwoSides) -> list[ItemChunk]:
        """Returns what of a model depends on these rows alone. It is computed once."""
        if id(model) not in self._computed:
            self._computed[id(model)] = model.items(self.rows)
        chunks: list[ItemChunk] = self._computed[id(model)]
        return chunks


@dataclass(frozen=True)
class EncodedPairs:
    """Scores pairs with a scorer in this process.

    Args:
        scorer: The scorer.
    """

    scorer: Scorer
    _models: dict[bytes, TwoSides] = field(default_factory=dict, repr=False)

    def side(self, table: pa.Table) -> EncodedSide:
        """Encodes a table that holds some columns of the model."""
        preprocessor, count = self.scorer.preprocessor, table.num_rows
        columns = {
            name: values.plain(table[name])
            if name in table.column_names
            else pa.nulls(count, pa.string() if name in preprocessor.vocabularies else pa.float64())
            for name in self.scorer.columns
        }
        rows = preprocessor.encode_columns(columns, count).inputs()
        names = dict(zip(("categorical", "numeric"), _raw_names(preprocessor), strict=True))
        own = {name: np.isin(names[name], table.column_names) for name in rows}
        return EncodedSide(rows, own, count)

    def scores(
        self,
        users: EncodedSide,
        candidates: EncodedSide,
        first: int,
        last: int,
        wanted: np.ndarray,
    ) -> np.ndarray:
        """Scores the users from `first` to before `last`; see `Pairs`."""
        model = self._model(candidates)
        rows = {name: array[first:last] for name, array in users.rows.items()}
        scores = model.scores(rows, candidates.computed(model))
        lines, places = model.met_among(rows, candidates.rows)
        needed = wanted[lines, places]
        if needed.any():
            lines, places = lines[needed], places[needed]
            met = {
                name: np.where(candidates.own[name], candidates.rows[name][places], array[lines])
                for name, array in rows.items()
            }
            scores[lines, places] = self.scorer.score_encoded(met, len(lines))
        return self.scorer.clipped(scores)

    def _model(self, candidates: EncodedSide) -> TwoSides:
        """Returns the model for candidates with these columns."""
        key = b"".join(own.tobytes() for own in candidates.own.values())
        if key not in self._models:
            schema = self.scorer.preprocessor.schema
            places = [schema.position(name) for name in (schema.user, schema.item) if name]
            self._models[key] = TwoSides(self.scorer.model, Columns(candidates.own, *places))
        return self._models[key]


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

    def scores(
        self, users: pa.Table, candidates: pa.Table, first: int, last: int, wanted: np.ndarray
    ) -> np.ndarray:
        """Scores the users from `first` to before `last`; see `Pairs`."""
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
