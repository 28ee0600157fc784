"""Baselines of ranking: popularity, item-kNN, matrix factorisation by ALS, and EASE.

They see only which user met which item. Their settings are chosen on the valid rows by NDCG, as a
recommender's are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from autorec_core.evaluation.choosing import choose
from autorec_core.evaluation.ease import ease_weights, inverse_gram
from autorec_core.evaluation.full_catalogue import Scores, UserLists, pairs_matrix
from autorec_core.metrics import LENGTH

Settings = Mapping[str, float]
OfUsers = Callable[[np.ndarray], np.ndarray]
"""Scores of some users, given by their rows in the matrix: float, shape (users, items)."""
MOST_ITEMS = 12_000
"""With more items, EASE is left out: its matrix of all pairs of items takes too much memory."""
USERS_TO_CHOOSE = 2000
"""The most users that settings are chosen on."""


@dataclass(frozen=True)
class ListBaseline:
    """A simple ranking model.

    Args:
        name: Its name in files.
        title: Its name in reports.
        fit: Takes a matrix with 1 where a user has met an item, settings and a seed; returns the
            scores of users.
        settings: The candidates of each setting in rising order, and the one to try first.
        most_items: The largest catalogue that it can handle; None for any.
    """

    name: str
    title: str
    fit: Callable[[csr_array, Settings, int], OfUsers]
    settings: Mapping[str, tuple[tuple[float, ...], float]] = field(default_factory=dict)
    most_items: int | None = None


def _popularity(met: csr_array, settings: Settings, seed: int) -> OfUsers:
    counts = np.asarray(met.sum(axis=0)).reshape(-1)
    return lambda rows: np.broadcast_to(counts, (len(rows), len(counts)))


def _item_knn(met: csr_array, settings: Settings, seed: int) -> OfUsers:
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    model = CosineRecommender(K=int(settings["neighbours"]), num_threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own conversion of the matrix
        model.fit(csr_matrix(met, dtype=np.float64), show_progress=False)
    similar = csr_array(model.similarity)
    return lambda rows: (met[rows] @ similar).toarray()


def _als(met: csr_array, settings: Settings, seed: int) -> OfUsers:
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=int(settings["factors"]),
            regularization=settings["regularization"],
            alpha=settings["alpha"],
            iterations=15,
            num_threads=1,
            random_state=seed,
        )
        model.fit(csr_matrix(met, dtype=np.float32), show_progress=False)
    return lambda rows: model.user_factors[rows] @ model.item_factors.T


def _ease(met: csr_array, settings: Settings, seed: int) -> OfUsers:
    weights = ease_weights(inverse_gram(met, settings["l2"]))
    return lambda rows: np.asarray(met[rows] @ weights)


LIST_BASELINES: dict[str, ListBaseline] = {
    baseline.name: baseline
    for baseline in (
        ListBaseline("popularity", "popularity", _popularity),
        ListBaseline(
            "item_knn",
            "item-kNN",
            _item_knn,
            {"neighbours": ((10.0, 20.0, 50.0, 100.0, 200.0, 500.0), 50.0)},
        ),
        ListBaseline(
            "als",
            "implicit ALS",
            _als,
            {
                "factors": ((8.0, 16.0, 32.0, 64.0, 128.0), 32.0),
                "regularization": ((0.01, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0), 3.0),
                "alpha": ((1.0, 3.0, 10.0, 30.0), 3.0),
            },
        ),
        ListBaseline(
            "ease",
            "EASE",
            _ease,
            {"l2": ((30.0, 100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0, 5000.0), 300.0)},
            MOST_ITEMS,
        ),
    )
}
"""All baselines of ranking by name. A new one is added here and nowhere else."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A baseline that was fitted for some lists.

    Args:
        scores: Its scores of the lists' users.
        chosen: The settings that were chosen on the valid rows.
    """

    scores: Scores
    chosen: Settings


def fit_baselines(
    train: np.ndarray,
    valid: np.ndarray,
    known: np.ndarray,
    lists: UserLists,
    seed: int,
    baselines: Iterable[ListBaseline] = (*LIST_BASELINES.values(),),
) -> dict[str, Fitted]:
    """Chooses the settings of each baseline on the valid rows, and fits it for some lists.

    Args:
        train: User and item of the encoded training rows, shape (rows, 2).
        valid: User and item of the valid rows, shape (rows, 2).
        known: User and item of the rows of the final fit, from which `lists` was made.
        lists: The lists to score.
        seed: The seed of solvers and of the sample of users that settings are chosen on.
        baselines: The baselines.
    """
    held_out = UserLists.of(train, valid, most_users=USERS_TO_CHOOSE, seed=seed)
    found = {}
    for baseline in baselines:
        if baseline.most_items is not None and len(lists.items) > baseline.most_items:
            continue
        chosen = _choose(baseline, train, held_out, seed)
        found[baseline.name] = Fitted(_fitted(baseline, known, lists, chosen, seed), chosen)
    return found


def _choose(
    baseline: ListBaseline, train: np.ndarray, lists: UserLists, seed: int
) -> dict[str, float]:
    """Chooses one setting after the other, by NDCG on the lists."""
    chosen = {name: start for name, (_, start) in baseline.settings.items()}
    for name, (candidates, start) in baseline.settings.items():

        def loss(value: float, name: str = name) -> float:
            scores = _fitted(baseline, train, lists, {**chosen, name: value}, seed)
            return 1 - float(np.mean(lists.rankings(scores).ndcg(LENGTH)))

        chosen[name] = choose(candidates, start, loss, stride=1)
    return chosen


def _fitted(
    baseline: ListBaseline, known: np.ndarray, lists: UserLists, settings: Settings, seed: int
) -> Scores:
    known = known[(known > 0).all(axis=1)]
    users = np.unique(known[:, 0])
    of_users = baseline.fit(pairs_matrix(known, users, lists.items), settings, seed)
    rows = np.searchsorted(users, lists.users)
    return lambda first, last: of_users(rows[first:last])
