"""Ranking metrics: how well the scores put the items that each user took first.

**Exact on ties**: items of one user with equal scores have no order. A metric is then the mean over
all possible orders, computed exactly. So no metric depends on the order of the rows, and a model
that gives all items the same score is as good as chance.

The metrics of all users are computed together; each row names its user. They are NaN for users
without a positive row, and the AUC also for users without a negative row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Rankings:
    """The places of the positive rows in the lists of users.

    Rows of one user with equal scores are a group. Only the groups with a positive row are kept,
    in the order of users and of their places: no metric needs more. Every metric is float64 of
    shape (users,), in the order of `users`.

    Args:
        users: The users, each once, shape (users,).
        sizes: int64, the length of each user's list, shape (users,).
        owner: int64, the number of each group's user, shape (groups,).
        before: int64, the number of rows before each group in its list, shape (groups,).
        rows: int64, the number of rows in each group, shape (groups,).
        hits: float64, the number of positive rows in each group, shape (groups,).
    """

    users: np.ndarray
    sizes: np.ndarray
    owner: np.ndarray
    before: np.ndarray
    rows: np.ndarray
    hits: np.ndarray

    @classmethod
    def of(cls, users: np.ndarray, positive: np.ndarray, scores: np.ndarray) -> Rankings:
        """Makes the rankings of rows in any order.

        Args:
            users: The user of each row, shape (rows,).
            positive: Which rows are positive ones, shape (rows,).
            scores: The score of each row, higher is better, shape (rows,).
        """
        names, user = np.unique(users, return_inverse=True)
        scores = np.asarray(scores, np.float64)
        order = np.lexsort((-scores, user))
        user, scores = user[order], scores[order]
        sizes = np.bincount(user, minlength=len(names))
        new = np.ones(len(user), bool)
        new[1:] = (np.diff(user) != 0) | (np.diff(scores) != 0)
        first = np.flatnonzero(new)
        group = np.cumsum(new) - 1
        hits = np.bincount(group, np.asarray(positive, bool)[order], minlength=len(first))
        kept = hits > 0
        owner = user[first]
        before = first - (np.cumsum(sizes) - sizes)[owner]
        rows = np.diff(first, append=len(user))
        return cls(names, sizes, owner[kept], before[kept], rows[kept], hits[kept])

    @cached_property
    def positives(self) -> np.ndarray:
        """How many positive rows each user has."""
        return np.bincount(self.owner, self.hits, minlength=len(self.users))

    @cached_property
    def _found(self) -> np.ndarray:
        """The number of positive rows before each group in its list."""
        until = np.cumsum(self.hits) - self.hits
        before_user = np.cumsum(self.positives) - self.positives
        found: np.ndarray = until - before_user[self.owner]
        return found

    @cached_property
    def _group(self) -> np.ndarray:
        """The group of each row in a group."""
        return np.repeat(np.arange(len(self.rows)), self.rows)

    @cached_property
    def _within(self) -> np.ndarray:
        """The number of rows before each row in its group."""
        starts = np.cumsum(self.rows) - self.rows
        within: np.ndarray = np.arange(len(self._group)) - starts[self._group]
        return within

    @cached_property
    def _expected(self) -> np.ndarray:
        """The probability that each place holds a positive: the share of positives in its group."""
        expected: np.ndarray = (self.hits / self.rows)[self._group]
        return expected

    @cached_property
    def _rank(self) -> np.ndarray:
        """The place of each row in its user's list, from 1."""
        rank: np.ndarray = self.before[self._group] + self._within + 1
        return rank

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.owner[self._group], values, minlength=len(self.users))

    @cached_property
    def _first(self) -> np.ndarray:
        """The first group of each user that has one; a user's first positive is one of its rows."""
        return np.flatnonzero(np.diff(self.owner, prepend=-1))

    def _hits(self, k: int) -> np.ndarray:
        """Counts the positive rows in each user's first `k` places, on average over ties."""
        return self._sums(self._expected * (self._rank <= k))

    def _known(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.positives > 0, values, np.nan)

    def precision(self, k: int) -> np.ndarray:
        """Precision@k: the number of positives in the first k places, divided by k."""
        return self._known(self._hits(k) / k)

    def recall(self, k: int) -> np.ndarray:
        """Recall@k: the share of a user's positives that are in the first k places."""
        return self._known(self._hits(k) / np.maximum(self.positives, 1))

    def ndcg(self, k: int) -> np.ndarray:
        """NDCG@k: the sum of `1 / log2(1 + place)` over positives, as a share of the best sum.

        References:
            [Järvelin & Kekäläinen, 2002](https://doi.org/10.1145/582415.582418);
            ties: [McSherry & Najork, 2008](https://doi.org/10.1007/978-3-540-78646-7_38)
        """
        discounts = (self._rank <= k) / np.log2(1 + self._rank)
        ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
        best = ideal[np.minimum(self.positives, k).astype(int)]
        return self._known(self._sums(self._expected * discounts) / np.where(best > 0, best, 1))

    def hit_rate(self, k: int) -> np.ndarray:
        """Hit rate@k: 1 if a positive is in the first k places, else 0; a probability on ties."""
        return self._known(1 - self._no_hit(k))

    def _no_hit(self, k: int) -> np.ndarray:
        """Computes the probability that the first k places of each user hold no positive."""
        first = self._first
        rows, hits, before = self.rows[first], self.hits[first], self.before[first]
        chance = np.ones(len(first))
        drawn = np.minimum(k - before, rows)
        # None among the first of a group: each place is empty given that those before it are.
        for step in range(int(drawn.max(initial=0))):
            more = step < drawn
            left = np.maximum(rows - step, 1)
            chance[more] *= (np.maximum(rows - hits - step, 0) / left)[more]
        missed = np.ones(len(self.users))
        missed[self.owner[first]] = chance
        return missed

    def mrr(self) -> np.ndarray:
        """Reciprocal rank: 1 / the place of the first positive. Its mean over users is the MRR."""
        first = self._first
        result = np.full(len(self.users), np.nan)
        result[self.owner[first]] = 0.0
        none_yet = np.ones(len(first))
        step = 0
        while len(first):
            chance = self.hits[first] / (self.rows[first] - step)
            result[self.owner[first]] += none_yet * chance / (self.before[first] + step + 1)
            none_yet *= 1 - chance
            step += 1
            more = step <= self.rows[first] - self.hits[first]
            first, none_yet = first[more], none_yet[more]
        return result

    def average_precision(self, k: int | None = None) -> np.ndarray:
        """Average precision@k; without `k`, of the whole list. Its mean over users is MAP@k.

        It sums the precision at the place of each positive in the first k places. The sum is
        divided by the smaller of `k` and the number of the user's positives.
        """
        rows, hits, group, rank = self.rows, self.hits, self._group, self._rank
        # Of a positive at this place: itself, those of earlier groups, and its share of the others.
        others = np.where(rows > 1, (hits - 1) / np.maximum(rows - 1, 1), 0.0)[group]
        until = self._found[group] + 1 + self._within * others
        terms = self._expected * until / rank
        most = self.positives if k is None else np.minimum(self.positives, k)
        if k is not None:
            terms = terms * (rank <= k)
        return self._known(self._sums(terms) / np.maximum(most, 1))

    def auc(self) -> np.ndarray:
        """The AUC of each user, ties counted half; NaN if all rows of a user are of one class.

        The mean over users is the gAUC.
        """
        misses = self.rows - self.hits
        earlier = self.before - self._found  # negatives that stand before the group
        wrong = np.bincount(
            self.owner, self.hits * (earlier + misses / 2), minlength=len(self.users)
        )
        pairs = self.positives * (self.sizes - self.positives)
        return np.where(pairs > 0, 1 - wrong / np.where(pairs > 0, pairs, 1), np.nan)


def coverage(recommended: np.ndarray, catalogue: int) -> float:
    """Catalogue coverage: the share of the items that are on at least one user's list.

    Args:
        recommended: The items of all lists, shape (rows,).
        catalogue: How many items there are.
    """
    return len(np.unique(recommended)) / catalogue
