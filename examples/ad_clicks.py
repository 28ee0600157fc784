"""Chooses the ads that a user most likely clicks at an hour, from ads that were shown."""

from pathlib import Path

import keras_tuner
import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core import zoo
from autorec_core.config import DatasetParams, PreprocessParams, SplitParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples
from autorec_core.data.reading.guess import Chosen, propose
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.interactions import Excluded
from autorec_core.recommending.pairs import EncodedPairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer
from autorec_core.training import Budget, Rows, train

# Make a row for each ad that was shown. Even ads are clicked by day, the others at night.
random = np.random.default_rng(0)
user, ad, hour = (random.integers(0, most, 12_000) for most in (50, 20, 24))
fits = (ad % 2 == 0) == ((hour >= 8) & (hour < 20))
clicked = random.random(12_000) < np.where(fits, 0.4, 0.05)
table = Path("shown.csv")
rows = pd.DataFrame({"user": user, "ad": ad, "hour": hour, "clicked": clicked.astype(int)})
rows.to_csv(table, index=False)

# Propose the roles of the columns. The hour is a category here: its ends are next to each other.
chosen = Chosen(user="user", item="ad", categorical=["hour"])
described = propose(table, label="clicked", chosen=chosen).entry
entry = DatasetParams.model_validate(
    {**described, "sources": [{"kind": "file", "path": str(table)}]}
)

# Split, and train one candidate: `run_search` tries many.
prepared = Path("prepared")
split = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])
preprocess = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
prepare(entry, split, preprocess, 1, table, prepared)
preprocessor = Preprocessor.load(prepared)
parts = [load_examples(prepared, part) for part in ("train", "valid")]
recommender = zoo.build("deepfm", preprocessor.schema).resolve(keras_tuner.HyperParameters())
learned, valid = (Rows(part.inputs(), part.label) for part in parts)
trained = train(recommender, learned, valid, budget=Budget(epochs=8, patience=2), seed=1)
scorer = Scorer(preprocessor, trained.model)

# The best three ads for a user at noon and at midnight. An ad may be shown again.
ranker = Ranker(Catalogue.of(preprocessor), EncodedPairs(scorer), scorer.columns)
for hour in ("12", "0"):
    users = ranker.users(pa.table({"user": ["7"], "hour": [hour]}))
    for found in ranker.rank(users, ranker.candidates(), Excluded.nothing(1), top=3):
        print(f"hour {hour}:", *(f"ad {ad}" for ad in found["ad"].to_pylist()))
