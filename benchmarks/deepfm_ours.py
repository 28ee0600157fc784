"""Samples a second of a DeepFM here: our training engine, or plain Keras `fit` with Adam.

python benchmarks/deepfm_ours.py engine|keras IDS ROWS
"""

from __future__ import annotations

import json
import sys
import time

from deepfm_data import BATCH, DIM, FIELDS, NUMBERS, UNITS, clicks

import autorec_core
from autorec_core.recipe import Training
from autorec_core.recommender import adapt


def deepfm(each: int) -> autorec_core.CTRRecommender:
    ids = autorec_core.Input([FIELDS], name="categorical")
    numbers = autorec_core.Input([NUMBERS], name="numeric", dtype="float32")
    sizes = (each,) * FIELDS
    sparse = autorec_core.SparseFeatureMapper(vocabulary_sizes=sizes, embedding_dim=DIM, l2=0.0)(
        ids
    )
    bias = autorec_core.BiasMapper(vocabulary_sizes=sizes, l2=0.0)(ids)
    mlp = autorec_core.MLPInteraction(
        units=UNITS, num_layers=2, use_batch_norm=False, dropout_rate=0.0
    )
    parts = [
        autorec_core.FMInteraction(embedding_dim=DIM)([sparse]),
        mlp([sparse, numbers]),
        bias,
        numbers,
    ]
    return autorec_core.CTRRecommender(
        inputs=(ids, numbers),
        outputs=autorec_core.CTRPredictionOptimizer()(parts),
        training=Training(learning_rate=0.001, decay=1.0, batch_size=BATCH),
    )


def with_engine(rows: int, ids: int) -> float:
    from autorec_core.training import Rows
    from autorec_core.training.batches import Batches
    from autorec_core.training.learner import Learner, build_model

    categorical, numeric, labels, each = clicks(rows, ids)
    recommender = deepfm(each)
    data = Rows({"categorical": categorical, "numeric": numeric}, labels)
    model = build_model(recommender, seed=1)
    adapt(model, data.inputs, data.labels)
    learner, batches = Learner(recommender, model), Batches([data], BATCH, seed=1)
    for chunk in batches.epoch(0):
        learner.learn(chunk, chunk.order[: 20 * BATCH])
    began = time.perf_counter()
    for chunk in batches.epoch(1):
        learner.learn(chunk, chunk.order)
    return rows / (time.perf_counter() - began)


def with_keras(rows: int, ids: int) -> float:
    import keras

    keras.utils.set_random_seed(1)
    categorical, numeric, labels, each = clicks(rows, ids)
    model = deepfm(each).model()
    x = {"categorical": categorical, "numeric": numeric}
    few = {name: array[: 20 * BATCH] for name, array in x.items()}
    model.fit(few, labels[: 20 * BATCH], batch_size=BATCH, verbose=0)
    began = time.perf_counter()
    model.fit(x, labels, batch_size=BATCH, verbose=0)
    return rows / (time.perf_counter() - began)


if __name__ == "__main__":
    how, ids, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    speed = {"engine": with_engine, "keras": with_keras}[how](rows, ids)
    print(json.dumps({"samples_a_second": speed}))
