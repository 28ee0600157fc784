"""What the tests of searches share: a small recommender, rows, and a listener that notes."""

import dataclasses

import numpy as np

import autorec_core
from autorec_core.recipe import Training
from autorec_core.search import Listener
from autorec_core.training import Rows

USERS, ITEMS = 30, 20


def make_recommender(interaction=None, **recipe):
    """A small recommender; by default four hyperparameters are searched."""
    ids = autorec_core.Input(shape=[2])
    mapped = [
        autorec_core.LatentFactorMapper(
            feat_column_id=column, id_num=number, embedding_dim=4, l2=0.0
        )(ids)
        for column, number in enumerate((USERS, ITEMS))
    ]
    if interaction is None:
        interaction = autorec_core.MLPInteraction(
            units=autorec_core.choice(4, 8, 16), num_layers=1, use_batch_norm=False
        )
    training = dataclasses.replace(
        Training(
            learning_rate=autorec_core.choice(0.003, 0.01, 0.03, default=0.01),
            decay=1.0,
            batch_size=64,
        ),
        **recipe,
    )
    outputs = autorec_core.RatingPredictionOptimizer()(interaction(mapped))
    return autorec_core.RPRecommender(inputs=ids, outputs=outputs, training=training)


def make_rows(number, seed):
    generator = np.random.default_rng(seed)
    ids = np.stack(
        [generator.integers(0, USERS, number), generator.integers(0, ITEMS, number)], axis=1
    ).astype(np.int32)
    labels = 3 + (ids[:, 0] % 5) / 2 - (ids[:, 1] % 4) / 2 + generator.normal(0, 0.5, number)
    return Rows({"ids": ids}, labels.astype(np.float32))


class Notes(Listener):
    """Notes a search's events."""

    def __init__(self):
        self.started, self.ended, self.rows, self.plan, self.result = [], [], [], None, None

    def on_search_start(self, plan):
        self.plan = plan

    def on_trial_start(self, trial):
        self.started.append(trial.number)

    def on_epoch(self, trial, row):
        self.rows.append((trial.number, row["step"]))

    def on_trial_end(self, trial):
        self.ended.append(trial.number)

    def on_search_end(self, result):
        self.result = result
