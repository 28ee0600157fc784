"""Recommends films from ratings, with their titles, and only those of a genre."""

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
from autorec_core.recommending.facts import ItemFacts
from autorec_core.recommending.index import Index
from autorec_core.recommending.interactions import Interactions
from autorec_core.recommending.pairs import EncodedPairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer
from autorec_core.training import Budget, Rows, train

# Make ratings: viewers with an even number like dramas, the others comedies. And a table of films.
random = np.random.default_rng(0)
viewer, film = random.integers(0, 300, 9000), random.integers(0, 40, 9000)
stars = np.clip(3 + np.where(viewer % 2 == film % 2, 1, -1) + random.normal(0, 0.5, 9000), 1, 5)
ratings = Path("raw/ratings.csv")
films = Path("raw/tables/films/films.csv")
films.parent.mkdir(parents=True)
rows = pd.DataFrame({"user": viewer, "film": film, "rating": stars.round()})
rows.drop_duplicates(["user", "film"]).to_csv(ratings, index=False)
genres = np.where(np.arange(40) % 2, "Comedy", "Drama")
titles = [f"The {genre} of {1980 + number}" for number, genre in enumerate(genres)]
pd.DataFrame(
    {"film": range(40), "genres": genres, "year": range(1980, 2020), "name": titles}
).to_csv(films, index=False)

# Describe both files. `autorec init-dataset ratings.csv --items films.csv` would do so too.
described = propose(ratings, "rating", Chosen(user="user", item="film")).entry
described |= {"sources": [{"kind": "file", "path": str(ratings)}]}
described["tables"] = {
    "films": {
        "joins": "film",
        "key": "film",
        "file": films.name,
        "sha256": None,
        "sources": [{"kind": "file", "path": str(films)}],
        "format": {**described["format"], "columns": []},
        "categorical": [],
        "multi_valued": {"genres": {"separator": "|", "max_length": 2}},
        "numeric": ["year"],
        "ignored": [],
        "title": "name",
    }
}
entry = DatasetParams.model_validate(described)

# Split, and train one candidate: `run_search` tries many.
prepared = Path("prepared")
split = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])
preprocess = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
prepare(entry, split, preprocess, 1, ratings, prepared)
preprocessor = Preprocessor.load(prepared)
parts = [load_examples(prepared, part) for part in ("train", "valid")]
recommender = zoo.build("deepfm", preprocessor.schema).resolve(keras_tuner.HyperParameters())
learned, valid = (Rows(part.inputs(), part.label) for part in parts)
trained = train(recommender, learned, valid, budget=Budget(epochs=20, patience=5), seed=1)
scorer = Scorer(preprocessor, trained.model)

# The best three for viewer 7 of all films, and of the dramas since 2000.
facts = ItemFacts(
    tables=list(preprocessor.tables.values()),
    separators={one.name: one.separator for one in preprocessor.schema.lists},
)
ranker = Ranker(Catalogue.of(preprocessor), EncodedPairs(scorer), scorer.columns, facts=facts)
users = ranker.users(pa.table({"user": ["7"]}))
interactions = Interactions.read(prepared, "user", "film", "rating")
for where in (None, "genres = Drama and year >= 2000"):
    candidates = ranker.candidates()
    if where is not None:
        candidates = ranker.where(candidates, where)
    seen = interactions.seen(["7"], Index(candidates["film"].combine_chunks()))
    print(where or "all films")
    for table in ranker.rank(users, candidates, seen, top=3):
        print(table.select(["rank", "title", "score"]).to_pandas().to_string(index=False))
