"""Recommends from purchases alone: who bought what and when, without ratings."""

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
from autorec_core.data.reading.guess import propose
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.interactions import Interactions
from autorec_core.recommending.pairs import EncodedPairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer
from autorec_core.training import Budget, Rows, train

# Make purchases: half of the customers buy garden tools (items g...), the others books (b...).
random = np.random.default_rng(0)
bought = [
    (f"c{customer}", f"{'gb'[customer % 2]}{item}", 1_700_000_000 + int(random.integers(10**6)))
    for customer in range(200)
    for item in random.choice(30, 10, replace=False)
]
table = Path("purchases.csv")
pd.DataFrame(bought, columns=["customer", "item", "time"]).to_csv(table, index=False)

# A file with users and items but no label is for ranking. Valid and test get the last rows.
entry = DatasetParams.model_validate(
    {**propose(table).entry, "sources": [{"kind": "file", "path": str(table)}]}
)
print(f"task {entry.task}, user {entry.user}, item {entry.item}, time {entry.time}")
prepared = Path("prepared")
split = SplitParams(strategy="by_user", ratios=[0.8, 0.1, 0.1])
preprocess = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
prepare(entry, split, preprocess, 1, table, prepared)
preprocessor = Preprocessor.load(prepared)
learned, valid = (load_examples(prepared, part) for part in ("train", "valid"))

# Train one candidate: `run_search` tries many.
recommender = zoo.build("auto", preprocessor.schema).resolve(keras_tuner.HyperParameters())
parts = [Rows(part.inputs(), part.label) for part in (learned, valid)]
trained = train(recommender, *parts, budget=Budget(epochs=2, patience=1), seed=1)
scorer = Scorer(preprocessor, trained.model)

# The three best items of each customer, without what they have bought. The last one is new.
ranker = Ranker(Catalogue.of(preprocessor), EncodedPairs(scorer), scorer.columns)
users = ranker.users(pa.table({"customer": ["c0", "c1", "somebody new"]}))
candidates = ranker.candidates()
interactions = Interactions.read(prepared, "customer", "item", entry.label_name, entry.time)
seen = interactions.seen(users["customer"].to_pylist(), ranker.catalogue.items)
lists = pa.concat_tables(ranker.rank(users, candidates, seen, top=3))
print(lists.to_pandas().to_string(index=False))
