"""AutoRec's DeepFM, trained by AutoRec's engine or by Keras' `fit` with Adam.

python benchmarks/deepfm_ours.py engine|keras IDS ROWS

It trains once for each line on stdin.
"""

from __future__ import annotations

import itertools
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from deepfm_data import BATCH, DIM, FIELDS, NUMBERS, UNITS, clicks, serve

import autorec_core
from autorec_core.recipe import Training
from autorec_core.recommender import adapt
from autorec_core.training import Rows
from autorec_core.training.batches import Batches
from autorec_core.training.learner import Learner, build_model


def deepfm(each: int) -> autorec_core.CTRRecommender:
    """Builds the recommender; `each` is the number of ids in every field."""
    ids = autorec_core.Input([FIELDS], name="categorical")
    numbers = autorec_core.Input([NUMBERS], name="numeric", dtype="float32")
    sizes = (each,) * FIELDS
    mapper = autorec_core.SparseFeatureMapper(vocabulary_sizes=sizes, embedding_dim=DIM, l2=0.0)
    sparse = mapper(ids)
    bias = autorec_core.BiasMapper(vocabulary_sizes=sizes, l2=0.0)(ids)
    fm = autorec_core.FMInteraction(embedding_dim=DIM)
    mlp = autorec_core.MLPInteraction(
        units=UNITS, num_layers=2, use_batch_norm=False, dropout_rate=0.0
    )
    parts = [fm([sparse]), mlp([sparse, numbers]), bias, numbers]
    return autorec_core.CTRRecommender(
        inputs=(ids, numbers),
        outputs=autorec_core.CTRPredictionOptimizer()(parts),
        training=Training(learning_rate=0.001, decay=1.0, batch_size=BATCH),
    )


def main() -> None:
    how, ids, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    categorical, numeric, labels, each = clicks(rows, ids)
    inputs = {"categorical": categorical, "numeric": numeric}
    recommender = deepfm(each)
    model = build_model(recommender, seed=1)
    adapt(model, inputs, labels)
    if how == "keras":
        serve(lambda: model.fit(inputs, labels[:, None], batch_size=BATCH, verbose=0), rows)
        return
    learner = Learner(recommender, model, BATCH)
    batches = Batches([Rows(inputs, labels)], BATCH, seed=1)
    epochs = itertools.count()

    def epoch() -> None:
        for chunk in batches.epoch(next(epochs)):
            learner.learn(chunk, chunk.order)

    serve(epoch, rows)


if __name__ == "__main__":
    main()
