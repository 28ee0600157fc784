"""The test metrics of a model that ranks, and of the baselines, over the full catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autorec_core.data.schema import Examples, Schema
from autorec_core.evaluation.baselines import Splits
from autorec_core.evaluation.figures import LOSSES, Evaluation
from autorec_core.evaluation.full_catalogue import Scores, UserLists
from autorec_core.evaluation.intervals import mean_intervals
from autorec_core.evaluation.item_rows import ItemRows
from autorec_core.evaluation.list_baselines import fit_baselines
from autorec_core.metrics import LENGTH, METRICS, metrics_of
from autorec_core.ranking import Rankings, coverage

COVERAGE = f"coverage@{LENGTH}"
"""The share of the catalogue that is on at least one user's list."""
MOSTLY = 0.5
"""If more test rows than this share cannot be judged, the figures say little."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The lists of the test users, as ranked by the model and the baselines.

    Args:
        lists: The lists.
        rankings: For "model" and each baseline, the rankings.
        evaluation: The metrics, the loss of each user (shape (users,)), settings and warnings.
    """

    lists: UserLists
    rankings: Mapping[str, Rankings]
    evaluation: Evaluation


def test_lists(splits: Splits) -> UserLists:
    """Returns the lists of the users of the test rows.

    Raises:
        DataError: No list can be judged.
    """
    known, test = (pairs_of(part, splits.schema) for part in (splits.known, splits.test))
    return UserLists.of(known, test)


@dataclass(frozen=True, eq=False)
class CandidateRows:
    """The rows that a model scores for users' lists: each user with each item.

    A column that has one value for each item is taken from the item's rows. All other columns are
    taken from the user's first later row.

    Args:
        users: One row for each user of the lists.
        items: The columns of items.
    """

    users: Examples
    items: ItemRows

    @classmethod
    def of(
        cls, lists: UserLists, known: Examples, later: Examples, schema: Schema
    ) -> CandidateRows:
        """Makes the rows from the rows that were learned from, and the later rows."""
        ids, first = np.unique(pairs_of(later, schema)[:, 0], return_index=True)
        rows = first[np.searchsorted(ids, lists.users)]
        users = Examples(later.categorical[rows], later.numeric[rows], later.label[rows])
        return cls(users, ItemRows.of(known.inputs(), *pairs_of(known, schema).T))

    def inputs(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Returns the model inputs of some users with all items: shape (users * items, ...)."""
        return self.items.with_users(self.users.inputs(), first, last)


def evaluate_lists(scores: Scores, lists: UserLists, splits: Splits) -> Judged:
    """Evaluates a model's lists, and those of the baselines.

    Args:
        scores: The model's scores of all items for some of the lists' users.
        lists: What `test_lists` returns.
        splits: The encoded rows. `refit` must say whether the model was trained on the valid rows
            too, so that the baselines are trained on the same rows.
    """
    train, valid, known = (
        pairs_of(part, splits.schema) for part in (splits.train, splits.valid, splits.known)
    )
    fitted = fit_baselines(train, valid, known, lists, splits.seed)
    of_name = {"model": scores, **{name: one.scores for name, one in fitted.items()}}
    rankings, figures = {}, {}
    for name, found in of_name.items():
        shown = np.full((len(lists), LENGTH), -1)
        rankings[name] = lists.rankings(found, shown)
        figures[name] = {
            metric.name: metric.of_rankings(rankings[name]) for metric in metrics_of("ranking")
        }
        figures[name][COVERAGE] = coverage(shown[shown >= 0], len(lists.items))
    loss = METRICS[LOSSES["ranking"]]
    assert loss.of_users is not None
    losses = {name: loss.of_users(one) for name, one in rankings.items()}
    chosen = {name: dict(one.chosen) for name, one in fitted.items() if one.chosen}
    warnings = tuple(_warnings(lists, figures))
    return Judged(lists, rankings, Evaluation(figures, losses, chosen, warnings))


def _warnings(lists: UserLists, figures: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yields what a reader must know before trusting the figures."""
    loss = LOSSES["ranking"]
    if not figures["model"][loss] < figures["popularity"][loss]:
        yield (
            f"The model is not better than popular items: its test {loss.upper()} is "
            f"{figures['model'][loss]:.4f}, that of popular items is "
            f"{figures['popularity'][loss]:.4f}."
        )
    counted = int(lists.taken.sum())
    if lists.rows - counted > MOSTLY * lists.rows:
        new, again = lists.rows - lists.known_rows, lists.known_rows - counted
        yield (
            f"Only {counted:,} of {lists.rows:,} test rows count: in {new:,} the user or the item "
            f"is not in train, and in {again:,} the user had met the item before."
        )


def list_intervals(judged: Judged, seed: int) -> dict[str, Any]:
    """Computes each metric's mean over users, and the model's differences, with intervals.

    Args:
        judged: The evaluated lists.
        seed: The seed of the draws; all columns are drawn together, so differences are paired.

    Returns:
        By metric: by name, `mean`, `low` and `high` of the metric, and for a baseline also those of
        the model's metric minus the baseline's, as `difference`.
    """
    found: dict[str, Any] = {}
    for metric in metrics_of("ranking"):
        assert metric.of_users is not None
        values = {name: metric.of_users(one) for name, one in judged.rankings.items()}
        known = ~np.isnan(values["model"])
        if not known.any():
            continue
        others = [name for name in values if name != "model"]
        columns = [*values.values(), *(values["model"] - values[name] for name in others)]
        table = np.stack([column[known] for column in columns], axis=1)
        means = [asdict(one) for one in mean_intervals(table, seed)]
        found[metric.name] = dict(zip(values, means, strict=False))
        for name, difference in zip(others, means[len(values) :], strict=True):
            found[metric.name][name]["difference"] = difference
    return found


def pairs_of(examples: Examples, schema: Schema) -> np.ndarray:
    """Returns the encoded user and item of each row, shape (rows, 2)."""
    places = [schema.position(str(schema.user)), schema.position(str(schema.item))]
    pairs: np.ndarray = examples.categorical[:, places]
    return pairs
