"""Ranking metrics: how well each user's scores put what they liked first.

**Exact on ties**: items of one user with equal scores have no order of their own, so a metric is
the mean over all orders of them, each as likely, worked out and not drawn. No metric depends on
the order of the rows, and a model that scores everything alike gets what chance would.

Rows of many users come together: each row names its user, and all users are worked out at once.
A user without a positive row has no place to find anything in, so they have no value here: the
metrics are NaN for them, as the AUC is for users without a negative row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Rankings:
    """Rows of users with scores, sorted: the best of each user first, equal scores together.

    Every metric is float64 of shape (users,), in the order of `users`.

    Args:
        users: The users, each once, shape (users,).
        starts: int64, where the rows of each user begin, shape (users,).
        sizes: int64, how many rows each has, shape (users,).
        user: int64, the number of each row's user, shape (rows,).
        positive: float64, 1 where a row is a positive one, shape (rows,).
        scores: Their scores, shape (rows,).
    """

    users: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    user: np.ndarray
    positive: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, users: np.ndarray, positive: np.ndarray, scores: np.ndarray) -> Rankings:
        """From rows in any order.

        Args:
            users: The user of each row, shape (rows,).
            positive: Which rows are positive ones, shape (rows,).
            scores: The score of each row, higher is better, shape (rows,).
        """
        names, user = np.unique(users, return_inverse=True)
        order = np.lexsort((-np.asarray(scores, np.float64), user))
        sizes = np.bincount(user, minlength=len(names))
        return cls(
            names,
            np.cumsum(sizes) - sizes,
            sizes,
            user[order],
            np.asarray(positive, bool)[order].astype(np.float64),
            np.asarray(scores, np.float64)[order],
        )

    @cached_property
    def positives(self) -> np.ndarray:
        """How many positive rows each user has."""
        return self._sums(self.positive)

    @cached_property
    def _group(self) -> np.ndarray:
        """The number of each row's group of equal scores of one user."""
        new = np.ones(len(self.user), bool)
        new[1:] = (np.diff(self.user) != 0) | (np.diff(self.scores) != 0)
        return np.cumsum(new) - 1

    @cached_property
    def _groups(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of each group: rows, positive rows, user, rows before it, positive rows before it."""
        rows = np.bincount(self._group)
        hits = np.bincount(self._group, self.positive)
        first = np.cumsum(rows) - rows
        owner = self.user[first]
        found = np.concatenate([[0.0], np.cumsum(self.positive)])
        before = first - self.starts[owner]
        return rows, hits, owner, before, found[first] - found[self.starts[owner]]

    @cached_property
    def _expected(self) -> np.ndarray:
        """The chance of each place to hold a positive row: the share of positives in its group."""
        rows, hits, *_ = self._groups
        expected: np.ndarray = (hits / rows)[self._group]
        return expected

    @cached_property
    def _rank(self) -> np.ndarray:
        """The place of each row in its user's list, from 1."""
        rank: np.ndarray = np.arange(len(self.user)) - self.starts[self.user] + 1
        return rank

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.user, values, minlength=len(self.users))

    def _hits(self, k: int) -> np.ndarray:
        """How many positive rows each user's first `k` places hold, on average over ties."""
        return self._sums(self._expected * (self._rank <= k))

    def _known(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.positives > 0, values, np.nan)

    def precision(self, k: int) -> np.ndarray:
        """Precision@k: the share of positives among the first k places; a short list lacks them."""
        return self._known(self._hits(k) / k)

    def recall(self, k: int) -> np.ndarray:
        """Recall@k: the share of a user's positives that stand on the first k places."""
        return self._known(self._hits(k) / np.maximum(self.positives, 1))

    def ndcg(self, k: int) -> np.ndarray:
        """NDCG@k with gain 1: discounts `1 / log2(1 + place)`, over those of a perfect list.

        References:
            [Järvelin & Kekäläinen, 2002](https://doi.org/10.1145/582415.582418);
            ties: [McSherry & Najork, 2008](https://doi.org/10.1007/978-3-540-78646-7_38)
        """
        discounts = (self._rank <= k) / np.log2(1 + self._rank)
        ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
        best = ideal[np.minimum(self.positives, k).astype(int)]
        return self._known(self._sums(self._expected * discounts) / np.where(best > 0, best, 1))

    def hit_rate(self, k: int) -> np.ndarray:
        """Hit rate@k: whether a positive stands on the first k places; under ties, its chance."""
        return self._known(1 - self._no_hit(k))

    def _no_hit(self, k: int) -> np.ndarray:
        """The chance that the first k places of each user hold no positive."""
        rows, hits, owner, before, found = self._groups
        missed = np.zeros(len(self.users))
        missed[self.sizes <= k] = self.positives[self.sizes <= k] == 0
        cut = (before < k) & (before + rows >= k) & (self.sizes[owner] > k)
        rows, hits, owner, before, found = (
            each[cut] for each in (rows, hits, owner, before, found)
        )
        # None among the first m of a group: each place is empty given that those before it are.
        chance = (found == 0).astype(np.float64)
        drawn = k - before
        for step in range(int(drawn.max(initial=0))):
            more = step < drawn
            left = np.maximum(rows - step, 1)
            chance[more] *= (np.maximum(rows - hits - step, 0) / left)[more]
        missed[owner] = chance
        return missed

    def mrr(self) -> np.ndarray:
        """Mean reciprocal rank: 1 over the place of a user's first positive; its mean over ties."""
        rows, hits, owner, before, found = self._groups
        first = np.flatnonzero((found == 0) & (hits > 0))  # the first positive is one of these
        result = np.full(len(self.users), np.nan)
        result[owner[first]] = 0.0
        none_yet = np.ones(len(first))
        step = 0
        while len(first):
            chance = hits[first] / (rows[first] - step)
            result[owner[first]] += none_yet * chance / (before[first] + step + 1)
            none_yet *= 1 - chance
            step += 1
            more = step <= rows[first] - hits[first]
            first, none_yet = first[more], none_yet[more]
        return result

    def average_precision(self, k: int | None = None) -> np.ndarray:
        """Average precision@k, whose mean over users is MAP@k; without `k` of the whole list.

        The precision at the place of each positive among the first k, summed, and divided by the
        most such places there can be: the smaller of `k` and the user's positives.
        """
        rows, hits, _, _, found = self._groups
        group, rank = self._group, self._rank
        within = rank - 1 - self._groups[3][group]
        # Of a positive at this place: itself, those of earlier groups, and its share of the others.
        others = np.where(rows > 1, (hits - 1) / np.maximum(rows - 1, 1), 0.0)[group]
        until = found[group] + 1 + within * others
        terms = self._expected * until / rank
        most = self.positives if k is None else np.minimum(self.positives, k)
        if k is not None:
            terms = terms * (rank <= k)
        return self._known(self._sums(terms) / np.maximum(most, 1))

    def auc(self) -> np.ndarray:
        """The AUC of each user, ties counted half; NaN where a user has one class only.

        The mean over users is the gAUC.
        """
        rows, hits, owner, before, found = self._groups
        misses = rows - hits
        earlier = before - found  # negatives that stand before the group
        wrong = np.bincount(owner, hits * (earlier + misses / 2), minlength=len(self.users))
        pairs = self.positives * (self.sizes - self.positives)
        return np.where(pairs > 0, 1 - wrong / np.where(pairs > 0, pairs, 1), np.nan)


def coverage(recommended: np.ndarray, catalogue: int) -> float:
    """Catalogue coverage: the share of the items that stand on at least one user's list.

    Args:
        recommended: The items of all lists, shape (rows,).
        catalogue: How many items there are.
    """
    return len(np.unique(recommended)) / catalogue
