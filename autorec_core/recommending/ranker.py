"""Ranks items for users. The result is that of scoring every pair and sorting, but it is faster.

Items with equal scores are in the order of their ids as text. A user that the model was not trained
on gets the most popular items, which are those with the most training rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.schema import unused_name
from autorec_core.errors import DataError, listed
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.columns import OwnColumns
from autorec_core.recommending.facts import NO_COLUMNS, NO_FACTS, ItemFacts
from autorec_core.recommending.index import NOWHERE
from autorec_core.recommending.interactions import Excluded
from autorec_core.recommending.pairs import Pairs
from autorec_core.recommending.top import best
from autorec_core.recommending.where import read_condition

MODEL, POPULAR = "model", "popular"
PAIRS = 1 << 16
"""Pairs scored at a time; memory does not grow with the number of users."""
NAMED = 5
"""Ids that an error names at most."""


class ListColumns(NamedTuple):
    """The names of the columns of a ranked list, in their order; `title` is None without titles."""

    user: str
    rank: str
    item: str
    title: str | None
    score: str
    reason: str


@dataclass(frozen=True, eq=False)
class Ranker:
    """A model, ready to recommend.

    Args:
        catalogue: The users and items that the model knows.
        pairs: Scores pairs of users and items.
        columns: The raw columns that the model reads.
        of_users: The columns that are the same in all rows of a user.
        facts: What is known of the items, also the columns that are the same in all their rows.
    """

    catalogue: Catalogue
    pairs: Pairs[Any]
    columns: Sequence[str]
    of_users: OwnColumns = NO_COLUMNS
    facts: ItemFacts = NO_FACTS
    _sides: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def users(self, table: pa.Table | None = None, source: str = "") -> pa.Table:
        """Checks and returns the users; all users of the model if there is no table.

        Args:
            table: The user column, and columns that go with each user.
            source: The beginning of an error message, such as the name of the file.

        Raises:
            DataError: There is no user, a user occurs twice, or there is no user column.
        """
        name = self.catalogue.user
        if table is None:
            return pa.table({name: self.catalogue.users.texts})
        return self._keyed(table, name, "users", source)

    def candidates(self, table: pa.Table | None = None, source: str = "") -> pa.Table:
        """Checks and returns the candidates, sorted by id; all items if there is no table.

        Args:
            table: The item column, and columns that go with each item.
            source: The beginning of an error message, such as the name of the file.

        Raises:
            DataError: There is no candidate, one occurs twice, or the model does not know one.
        """
        name, items = self.catalogue.item, self.catalogue.items
        if table is None:
            return pa.table({name: items.texts})
        table = self._keyed(table, name, "candidates", source)
        places = items.find(values.plain(table[name]))
        if (unknown := places == NOWHERE).any():
            first = table[name].filter(pa.array(unknown)).slice(0, NAMED).to_pylist()
            raise DataError(
                f"{source}The model was not trained on {unknown.sum():,} of the {len(table):,} "
                f"candidates: {_named(first, int(unknown.sum()))}."
            )
        return table.take(pa.array(np.argsort(places)))

    def where(self, candidates: pa.Table, condition: str) -> pa.Table:
        """Returns the candidates that fulfil a condition on their columns.

        Args:
            candidates: The candidates, from `candidates`.
            condition: The condition; `read_condition` says in which form.

        Raises:
            DataError: It cannot be read, names what is not there, or no candidate fulfils it.
        """
        item = self.catalogue.item
        items, given = values.plain(candidates[item]), candidates.drop_columns(item)
        left = candidates.filter(
            read_condition(condition).holds(lambda name: self.facts.cells(name, items, given))
        )
        if not len(left):
            raise DataError(
                f"Nothing is left to recommend: no candidate fulfils the condition {condition!r}."
            )
        return left

    def check_top(self, top: int) -> None:
        """Checks the length of the lists.

        Raises:
            DataError: It is below 1 or above the number of items.
        """
        most = len(self.catalogue.items)
        if not 1 <= top <= most:
            raise DataError(
                f"{top:,} items for each user are not possible. Allowed are 1 to {most:,}, the "
                "number of items that the model was trained on."
            )

    def rank(
        self, users: pa.Table, candidates: pa.Table, excluded: Excluded, top: int
    ) -> Iterator[pa.Table]:
        """Yields the best items of each user, in the order of the users, in blocks of users.

        Args:
            users: The users, from `users`.
            candidates: The candidates, from `candidates`.
            excluded: The positions of the candidates that each user does not get.
            top: The largest number of items for each user.

        Yields:
            Tables with the columns of `names`: user, rank from 1, item, title if there are titles,
            score and reason. Lists of popular items have no score.

        Raises:
            DataError: `top` is not possible, or a column of the model is not known.
        """
        self.check_top(top)
        texts = values.plain(users[self.catalogue.user])
        known = self.catalogue.users.find(texts) != NOWHERE
        sides = self._sides_of(users.filter(pa.array(known)), candidates) if known.any() else None
        popular = np.zeros(1, np.float32) if known.all() else self._by_popularity(candidates)
        met = np.concatenate([[0], np.cumsum(known)])
        step = max(1, PAIRS // len(candidates))

        def blocks() -> Iterator[pa.Table]:
            for first in range(0, len(known), step):
                last = min(first + step, len(known))
                scores = np.empty((last - first, len(candidates)), np.float32)
                scores[:] = popular
                ours, refused = known[first:last], excluded.block(first, last)
                wanted = np.ones(scores.shape, bool)
                wanted[refused] = False
                if sides is not None and ours.any():
                    of_model = self.pairs.scores(*sides, met[first], met[last], wanted[ours])
                    scores[ours] = of_model
                if not np.isfinite(scores).all():
                    raise DataError("The model returns scores that are not finite numbers.")
                places, counted = best(scores, refused, top)
                found = np.take_along_axis(scores, places, axis=1)
                yield self._table(texts.slice(first), candidates, ours, places, counted, found)

        return blocks()

    @property
    def names(self) -> ListColumns:
        """The names of the columns of a ranked list; renamed if the data have such a column."""
        user, item = self.catalogue.user, self.catalogue.item
        made = [user, item]
        for wished in ("rank", "score", "reason", "title"):
            made.append(unused_name(wished, made))
        _, _, rank, score, reason, title = made
        shown = title if self.facts.has_titles else None
        return ListColumns(user, rank, item, shown, score, reason)

    def _keyed(self, table: pa.Table, name: str, what: str, source: str) -> pa.Table:
        """Returns the table with the ids in column `name` as text; each id must occur once."""
        if name not in table.column_names:
            raise DataError(
                f"{source}The column {name} with the {what} is missing. "
                f"The columns are: {listed(table.column_names)}."
            )
        ids = values.categories(values.plain(table[name]))
        if not len(ids):
            raise DataError(f"{source}There are no {what}.")
        if ids.null_count:
            row = ids.is_null().to_numpy(zero_copy_only=False).argmax() + 1
            raise DataError(f"{source}Row {row} has no {name}.")
        counts = ids.value_counts()
        if len(counts) < len(ids):
            often = counts.field("counts").to_numpy() > 1
            twice = counts.field("values").filter(pa.array(often))
            raise DataError(
                f"{source}{often.sum():,} of the {what} occur more than once: "
                f"{_named(twice.slice(0, NAMED).to_pylist(), int(often.sum()))}."
            )
        return table.set_column(table.column_names.index(name), name, ids)

    def _sides_of(self, users: pa.Table, candidates: pa.Table) -> tuple[Any, Any]:
        """Returns both sides of the pairs. Together they have all columns of the model."""
        user, item = self.catalogue.user, self.catalogue.item
        needed = [name for name in self.columns if name not in (user, item)]
        given = [name for name in needed if name in users.column_names]
        if both := [name for name in given if name in candidates.column_names]:
            raise DataError(
                f"The users and the candidates both have the columns {listed(both)}. Leave them "
                "out of one of the two."
            )
        offered = [name for name in needed if name in candidates.column_names]
        left = [name for name in needed if name not in (*given, *offered)]
        own = [name for name in left if name in self.facts.own.columns]
        theirs = [name for name in left if name in self.of_users.columns and name not in own]
        if missing := [name for name in left if name not in (*own, *theirs)]:
            raise DataError(
                f"The model also reads {listed(missing)}, whose values differ between the rows of "
                "a user or item. Add these columns to the users or to the candidates."
            )
        _all_have(self.of_users, users[user], theirs, user)
        _all_have(self.facts.own, candidates[item], own, item)
        return (
            self.pairs.side(_joined(users.select([user, *given]), self.of_users, user, theirs)),
            self._candidates_side(candidates.select([item, *offered]), own),
        )

    def _candidates_side(self, candidates: pa.Table, own: Sequence[str]) -> Any:
        """Returns the encoded candidates; those of the whole catalogue are kept for later."""
        item = self.catalogue.item
        whole = candidates.column_names == [item] and len(candidates) == len(self.catalogue.items)
        if whole and tuple(own) in self._sides:
            return self._sides[tuple(own)]
        side = self.pairs.side(_joined(candidates, self.facts.own, item, own))
        if whole:
            self._sides[tuple(own)] = side
        return side

    def _by_popularity(self, candidates: pa.Table) -> np.ndarray:
        """Returns float32 scores that rank candidates by their number of training rows."""
        places = self.catalogue.items.find(values.plain(candidates[self.catalogue.item]))
        order = np.argsort(-self.catalogue.counts[places], kind="stable")
        scores = np.empty(len(places), np.float32)
        scores[order] = -np.arange(len(places))
        return scores

    def _table(
        self,
        users: pa.Array,
        candidates: pa.Table,
        known: np.ndarray,
        places: np.ndarray,
        counted: np.ndarray,
        scores: np.ndarray,
    ) -> pa.Table:
        """Returns the lists of a block of users as a table."""
        rows, ranks = np.nonzero(counted)
        by_model, names = known[rows], self.names
        items = values.plain(candidates[self.catalogue.item]).take(pa.array(places[counted]))
        columns = {
            names.user: users.take(pa.array(rows)),
            names.rank: pa.array(ranks + 1, pa.int32()),
            names.item: items,
            names.title: self.facts.titles(items),
            names.score: pa.array(scores[counted], mask=~by_model),
            names.reason: pa.array(np.where(by_model, MODEL, POPULAR), pa.string()),
        }
        return pa.table({name: column for name, column in columns.items() if name is not None})


def _all_have(own: OwnColumns, wanted: pa.ChunkedArray, names: Sequence[str], key: str) -> None:
    """Checks that the data have a row of every key, from which its columns can be taken."""
    if not names:
        return
    lost = own.keys.find(values.plain(wanted)) == NOWHERE
    if lost.any():
        first = wanted.filter(pa.array(lost)).slice(0, NAMED).to_pylist()
        raise DataError(
            f"The prepared data have no row for {lost.sum():,} values of {key} "
            f"({_named(first, int(lost.sum()))}), so their columns {listed(names)} are not known. "
            "Add these columns to the file."
        )


def _joined(table: pa.Table, own: OwnColumns, key: str, names: Sequence[str]) -> pa.Table:
    """Adds columns of the data to a table."""
    if not names:
        return table
    found = own.of(key, values.plain(table[key]), names)
    for name in names:
        table = table.append_column(name, found[name])
    return table


def _named(first: Sequence[str], count: int) -> str:
    """Returns the first few ids in quotes, and "..." if there are more."""
    return ", ".join(repr(one) for one in first) + (", ..." if count > len(first) else "")
