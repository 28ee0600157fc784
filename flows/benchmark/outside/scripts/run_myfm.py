"""Trains myFM on ids and both sides' histories, and predicts ratings; see `environments.py`.

The settings are those of myFM's own pages for MovieLens: rank 10, 300 Gibbs iterations. A history
is a one-hot list of the ids that a user or an item has met, divided by the root of their number.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

RANK, ITERATIONS = 10, 300


def main(folder: Path) -> None:
    """Reads `rows.npz` in a folder and writes `predicted.npy`."""
    import myfm
    import scipy.sparse as sparse

    with np.load(folder / "rows.npz") as rows:
        known, labels, test = rows["known"], rows["labels"], rows["test"]
        sizes, seed = rows["sizes"].tolist(), int(rows["seed"])
    ones = np.ones(len(known))
    met = sparse.csr_matrix((ones, (known[:, 0], known[:, 1])), shape=tuple(sizes))
    sides = [
        sparse.hstack([sparse.identity(size), _scaled(histories)]).tocsr()
        for size, histories in zip(sizes, (met, met.T.tocsr()), strict=True)
    ]

    def blocks(ids: np.ndarray) -> list[myfm.RelationBlock]:
        return [myfm.RelationBlock(ids[:, place], side) for place, side in enumerate(sides)]

    model = myfm.MyFMRegressor(rank=RANK, random_seed=seed)
    groups = [sizes[0], sizes[1], sizes[1], sizes[0]]
    model.fit(None, labels, X_rel=blocks(known), group_shapes=groups, n_iter=ITERATIONS)
    np.save(folder / "predicted.npy", model.predict(None, blocks(test)))


def _scaled(histories: Any) -> Any:
    import scipy.sparse as sparse

    histories.data[:] = 1
    lengths = np.maximum(np.asarray(histories.sum(axis=1)).ravel(), 1)
    return sparse.diags(lengths**-0.5) @ histories


if __name__ == "__main__":
    main(Path(sys.argv[1]))
