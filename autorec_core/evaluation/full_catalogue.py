"""Users' lists over the full catalogue: what a ranking model is judged by.

Each user's list holds all items that the model knows, without those that the user has met before.
The rows of a later split say which of these the user then took. Lists that only hold a sample of
the other items would rank models in another order (Krichene & Rendle, 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from autorec_core.errors import DataError
from autorec_core.ranking import Rankings

Scores = Callable[[int, int], np.ndarray]
"""Scores of the users from one place up to another: float, shape (users, items)."""
CELLS = 1 << 22
"""The most scores in memory at a time."""


@dataclass(frozen=True, eq=False)
class UserLists:
    """The lists of users, and what they took.

    Args:
        users: The encoded users, each once, in rising order, shape (users,).
        items: The encoded items of the catalogue, in rising order, shape (items,).
        met: 1 where a user has met an item before, shape (users, items).
        taken: 1 where a user then took an item that they had not met, shape (users, items).
        rows: Number of rows of the later split.
        known_rows: Number of these rows whose user and item the model knows.
    """

    users: np.ndarray
    items: np.ndarray
    met: csr_array
    taken: csr_array
    rows: int
    known_rows: int

    @classmethod
    def of(
        cls, known: np.ndarray, later: np.ndarray, *, most_users: int | None = None, seed: int = 0
    ) -> UserLists:
        """Makes the lists from encoded rows.

        Args:
            known: User and item of the rows that were learned from, int, shape (rows, 2). Id 0,
                unknown, is no user and no item.
            later: User and item of the later rows, int, shape (rows, 2).
            most_users: The most users; of more, a sample is drawn. None for all.
            seed: The seed of that sample.

        Raises:
            DataError: No user took an item that they had not met.
        """
        known = known[(known > 0).all(axis=1)]
        users, items = np.unique(known[:, 0]), np.unique(known[:, 1])
        inside = np.isin(later[:, 0], users) & np.isin(later[:, 1], items)
        met = pairs_matrix(known, users, items)
        taken = pairs_matrix(later[inside], users, items)
        taken = csr_array(taken - taken.multiply(met))
        taken.eliminate_zeros()
        chosen = np.flatnonzero(np.diff(taken.indptr))
        if not len(chosen):
            raise DataError(
                "No user has a later row with an item that is in the catalogue and new to them, so "
                "no list can be judged. Bring more rows, or choose another `split.strategy`."
            )
        if most_users is not None and len(chosen) > most_users:
            drawn = np.random.default_rng(seed).choice(len(chosen), most_users, replace=False)
            chosen = chosen[np.sort(drawn)]
        return cls(
            users[chosen],
            items,
            csr_array(met[chosen]),
            csr_array(taken[chosen]),
            len(later),
            int(inside.sum()),
        )

    def __len__(self) -> int:
        return len(self.users)

    def rankings(self, scores: Scores, recommended: np.ndarray | None = None) -> Rankings:
        """Ranks the items of each user's list by their scores.

        Args:
            scores: Computes the scores of all items for some users.
            recommended: If given, the places of each user's first items are written into it: int,
                shape (users, length of lists); -1 where a list is shorter.

        Raises:
            DataError: A score is not a finite number.
        """
        groups: list[np.ndarray] = []
        step = max(1, CELLS // len(self.items))
        for first in range(0, len(self), step):
            last = min(first + step, len(self))
            block = np.asarray(scores(first, last))
            if not np.isfinite(block).all():
                raise DataError("The model gives scores that are not finite numbers.")
            for user, row in enumerate(block, first):
                places = _of_row(self.met, user)
                allowed = np.delete(row, places)
                groups.append(_groups(user, row[_of_row(self.taken, user)], np.sort(allowed)))
                if recommended is not None:
                    _write_first(recommended[user], row, places)
        owner, before, rows, hits = np.concatenate(groups, axis=1)
        sizes = len(self.items) - np.diff(self.met.indptr)
        return Rankings(self.users, sizes, owner, before, rows, hits.astype(np.float64))


def pairs_matrix(pairs: np.ndarray, users: np.ndarray, items: np.ndarray) -> csr_array:
    """Returns 1 where a user and an item occur together, float32, shape (users, items).

    Args:
        pairs: User and item of each row, all among `users` and `items`, shape (rows, 2).
        users: Ids in rising order.
        items: Ids in rising order.
    """
    rows, columns = np.searchsorted(users, pairs[:, 0]), np.searchsorted(items, pairs[:, 1])
    places = np.unique(rows.astype(np.int64) * len(items) + columns)
    rows, columns = np.divmod(places, max(len(items), 1))
    ones = np.ones(len(places), np.float32)
    return csr_array((ones, (rows, columns)), shape=(len(users), len(items)))


def _of_row(matrix: csr_array, row: int) -> np.ndarray:
    places: np.ndarray = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
    return places


def _groups(user: int, taken: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Returns the groups of one user's taken items, best first, as `Rankings` describes them."""
    values, hits = np.unique(taken, return_counts=True)
    low, high = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    found = np.stack([np.full(len(values), user), len(ordered) - high, high - low, hits])
    return found[:, ::-1]


def _write_first(target: np.ndarray, row: np.ndarray, met: np.ndarray) -> None:
    """Writes the places of the highest scores; of equal scores, the first places."""
    scores = row.astype(np.float64)
    scores[met] = -np.inf
    count = min(len(target), len(row) - len(met))
    target[:] = -1
    if count:
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= least)
        target[:count] = places[np.argsort(-scores[places], kind="stable")[:count]]
