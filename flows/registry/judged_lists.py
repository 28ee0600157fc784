"""The rows that models score so that their users' lists can be compared: each user, each item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.errors import DataError
from autorec_core.evaluation.figures import LOSSES
from autorec_core.evaluation.segments import segments
from autorec_core.metrics import METRICS
from autorec_core.ranking import Rankings
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.columns import own_columns
from autorec_core.recommending.index import NOWHERE, Index
from autorec_core.recommending.interactions import Interactions

MOST_ROWS = 1_000_000
"""The approximate number of rows that each model scores; users are sampled."""
FEWEST_USERS = 100
EARLIER = ("train", "valid")
"""The splits whose items are left out of a user's list."""


@dataclass(frozen=True, eq=False)
class JudgedLists:
    """The lists of test users: all items that a user had not met before.

    Args:
        rows: The raw rows to score, list by list, with the columns that models read.
        user: The number of each row's user, int, shape (rows,).
        test_row: The test row that says that the user took the item; -1 for other rows, (rows,).
        popularity: The number of training rows of each row's item, shape (rows,).
        ids: The encoded test row of each user, int32, shape (users, columns).
    """

    rows: pd.DataFrame
    user: np.ndarray
    test_row: np.ndarray
    popularity: np.ndarray
    ids: np.ndarray

    @classmethod
    def of(
        cls, prepared: Path, preprocessor: Preprocessor, test: pd.DataFrame, seed: int
    ) -> JudgedLists:
        """Makes the lists of a sample of the test users.

        Args:
            prepared: The folder that `prepare` wrote.
            preprocessor: Knows the catalogue and the columns.
            test: The raw test rows.
            seed: The seed of the sample.

        Raises:
            DataError: No user took an item that is new to them.
        """
        schema, catalogue = preprocessor.schema, Catalogue.of(preprocessor)
        user, item = catalogue.user, catalogue.item
        met = Interactions.read(prepared, user, item, schema.label, parts=EARLIER)
        taken = _taken(test, catalogue, met)
        names = pd.unique(test[user].to_numpy()[taken != NOWHERE])
        if not len(names):
            raise DataError("No test user took an item that is in the catalogue and new to them.")
        most = max(FEWEST_USERS, MOST_ROWS // len(catalogue.items))
        if len(names) > most:
            names = np.random.default_rng(seed).choice(names, most, replace=False)
        users = Index(pa.array(names, pa.string()))
        place = np.where(taken == NOWHERE, NOWHERE, users.find(_texts(test[user])))
        first = np.full(len(users), -1)
        test_rows = np.flatnonzero(place != NOWHERE)[::-1]
        first[place[test_rows]] = test_rows

        count = len(catalogue.items)
        took = np.full((len(users), count), -1)
        took[place[test_rows], taken[test_rows]] = test_rows
        listed = np.ones((len(users), count), bool)
        seen = met.seen(users.texts, catalogue.items)
        listed[np.repeat(np.arange(len(users)), np.diff(seen.starts)), seen.places] = False
        at_user, at_item = np.nonzero(listed)
        rows = _rows(prepared, preprocessor, catalogue, test.iloc[first], (at_user, at_item))
        return cls(
            rows,
            at_user,
            took[listed],
            catalogue.counts[at_item].astype(np.float64),
            preprocessor.encode(test.iloc[first]).categorical,
        )

    def judged(self, counted: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Returns which rows and which users are judged: bool, shapes (rows,) and (users,).

        Args:
            counted: Which test rows count, bool; None for all. An item of a test row that does not
                count is left out of the list.
        """
        positive = self.test_row >= 0
        kept = np.ones(len(self.user), bool)
        if counted is not None:
            kept[positive] = counted[self.test_row[positive]]
        users = np.bincount(self.user[positive & kept], minlength=len(self.ids)) > 0
        return kept & users[self.user], users

    def losses(self, scores: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
        """Computes the loss of each judged user, float64; NaN if a score is not a finite number.

        Args:
            scores: The score of each row, shape (rows,).
            counted: See `judged`.
        """
        kept, users = self.judged(counted)
        if not np.isfinite(scores).all():
            return np.full(int(users.sum()), np.nan)
        loss = METRICS[LOSSES["ranking"]].of_users
        assert loss is not None
        lists = Rankings.of(self.user[kept], self.test_row[kept] >= 0, scores[kept])
        return loss(lists)

    def segments(
        self, preprocessor: Preprocessor, counted: np.ndarray | None, min_rows: int
    ) -> dict[str, np.ndarray]:
        """Divides the judged users by how often they occur in train."""
        _, users = self.judged(counted)
        found = segments(preprocessor, self.ids[users], min_rows=min_rows)
        name = f"{preprocessor.schema.user} "
        return {title: mask for title, mask in found.items() if title.startswith(name)}


def _texts(column: pd.Series) -> pa.Array:
    return values.categories(values.of_series(column))


def _taken(test: pd.DataFrame, catalogue: Catalogue, met: Interactions) -> np.ndarray:
    """Returns the place of each test row's item, or NOWHERE if the user cannot find it."""
    users, items = _texts(test[catalogue.user]), _texts(test[catalogue.item])
    place = catalogue.items.find(items)
    place[catalogue.users.find(users) == NOWHERE] = NOWHERE
    distinct = Index(users.unique())
    seen = met.seen(distinct.texts, catalogue.items)
    width = len(catalogue.items)
    owner = np.repeat(np.arange(len(distinct)), np.diff(seen.starts))
    again = np.isin(distinct.find(users) * width + place, owner * width + seen.places)
    place[again] = NOWHERE
    return place


def _rows(
    prepared: Path,
    preprocessor: Preprocessor,
    catalogue: Catalogue,
    of_users: pd.DataFrame,
    pairs: tuple[np.ndarray, np.ndarray],
) -> pd.DataFrame:
    """Returns raw rows of pairs of a user and an item.

    A column that has one value for each item is the item's. All others are those of `of_users`.
    """
    schema = preprocessor.schema
    separators = {one.name: one.separator for one in schema.lists}
    others = [name for name in schema.columns if name not in (catalogue.user, catalogue.item)]
    own = own_columns(prepared, catalogue.item, others, separators)
    at_user, at_item = pairs
    rows = of_users[schema.columns].iloc[at_user].reset_index(drop=True)
    names = [name for name in others if name in own.columns]
    items = own.of(catalogue.item, catalogue.items.texts, names).to_pandas()
    for name in (catalogue.item, *names):
        rows[name] = items[name].to_numpy()[at_item]
    return rows
