"""Measures a 10-trial random search for AutoRec-RP in the thesis' space on MovieLens 1M.

python benchmarks/search_movielens.py ours|tuner RATINGS EPOCHS

Both ways train the same candidates in the same order, each for EPOCHS epochs: `ours` with AutoRec's
search, `tuner` in KerasTuner's own loop with Keras' `fit`.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_tuner
import numpy as np

import autorec_core
from autorec_core.interactors.hyper import HyperInteraction
from autorec_core.recipe import Training
from autorec_core.search import SearchSettings, run_search
from autorec_core.search.oracles import make_oracle
from autorec_core.search.space import search_space
from autorec_core.training import Budget, Rows

TRIALS, SEED, DIM, BATCH = 10, 7, 64, 1024


def ratings(path: Path) -> tuple[Rows, Rows, int, int]:
    """Returns train and valid (8:1 of a seeded shuffle), and the numbers of users and movies."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    table = np.array(text.replace(b"::", b" ").split(), dtype=np.int32).reshape(-1, 4)
    (users, user), (items, item) = (
        np.unique(table[:, column], return_inverse=True) for column in (0, 1)
    )
    ids = np.stack([user, item], axis=1).astype(np.int32)
    order = np.random.default_rng(SEED).permutation(len(ids))
    first, second = (
        order[: len(order) * 8 // 10],
        order[len(order) * 8 // 10 : len(order) * 9 // 10],
    )
    train, valid = (
        Rows({"ids": ids[part]}, table[part, 2].astype(np.float32)) for part in (first, second)
    )
    return train, valid, len(users), len(items)


def autorec_rp(users: int, items: int) -> autorec_core.RPRecommender:
    """Builds the thesis' chain: two latent mappers for user and item each, one searched branch."""
    ids = autorec_core.Input([2])
    latent = [
        autorec_core.LatentFactorMapper.thesis(
            feat_column_id=column, id_num=number, embedding_dim=DIM
        )(ids)
        for column, number in ((0, users), (0, users), (1, items), (1, items))
    ]
    outputs = autorec_core.RatingPredictionOptimizer()(HyperInteraction.thesis()(latent))
    return autorec_core.RPRecommender(inputs=ids, outputs=outputs, training=Training.thesis())


Scores = list[float]


def with_ours(recommender: Any, train: Rows, valid: Rows, epochs: int, folder: Path) -> Scores:
    result = run_search(
        recommender,
        train,
        valid,
        SearchSettings(
            max_trials=TRIALS, budget=Budget(epochs=epochs, patience=epochs + 1), seed=SEED
        ),
        directory=folder,
    )
    return [trial.score for trial in sorted(result.leaderboard, key=lambda t: t.number)]


def with_tuner(
    recommender: Any, train: Rows, valid: Rows, epochs: int, folder: Path
) -> list[float]:
    oracle = make_oracle(
        "random",
        search_space(recommender),
        objective="val_mse",
        direction="min",
        seed=SEED,
        epochs=epochs,
    )
    oracle.max_trials = TRIALS
    tuner = keras_tuner.Tuner(oracle=oracle, hypermodel=recommender.build, directory=str(folder))
    tuner.search(
        train.inputs["ids"],
        train.labels[:, None],
        validation_data=(valid.inputs["ids"], valid.labels[:, None]),
        epochs=epochs,
        batch_size=BATCH,
        verbose=0,
    )
    return [trial.score for trial in oracle.trials.values()]


def main() -> None:
    who, path, epochs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    train, valid, users, items = ratings(path)
    run = {"ours": with_ours, "tuner": with_tuner}[who]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        scores = run(autorec_rp(users, items), train, valid, epochs, Path(folder))
        seconds = time.perf_counter() - began
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy = sum(one.ru_utime + one.ru_stime for one in used)
    print(
        json.dumps(
            {
                "seconds": round(seconds, 1),
                "processor_seconds": round(busy, 1),
                "trials": len(scores),
                "best": min(scores),
            }
        )
    )


if __name__ == "__main__":
    main()
