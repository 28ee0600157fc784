"""Splits, searches, saves and scores a table of your own, without the pipeline."""

import csv
import math
import random
from pathlib import Path

import pandas as pd

from autorec_core import zoo
from autorec_core.config import DatasetParams, PreprocessParams, SplitParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.data.reading.guess import propose
from autorec_core.evaluation.baselines import Splits
from autorec_core.evaluation.figures import evaluate
from autorec_core.scorer import Scorer
from autorec_core.search import SearchSettings, run_search
from autorec_core.training import Budget, Rows, predict

# Make a table: which user was shown which song at what hour, and whether they liked it.
draw = random.Random(0)
table = Path("listens.csv")
with table.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["user_id", "song", "hour", "price", "liked"])
    for _ in range(12000):
        user, song, hour = draw.randrange(100), draw.randrange(60), draw.randrange(24)
        taste = 1.5 if user % 4 == song % 4 else -1
        liked = draw.random() < 1 / (1 + math.exp(-taste - 0.05 * (hour - 12)))
        price = "" if draw.random() < 0.05 else round(draw.random() * 10, 2)
        writer.writerow([f"u{user}", f"s{song}", hour, price, int(liked)])

# Propose the role of each column: category, number, label.
proposal = propose(table, label="liked")
print(*proposal.notes, sep="\n")
entry = DatasetParams.model_validate(
    {**proposal.entry, "sources": [{"kind": "file", "path": str(table)}]}
)

# Split 8:1:1 by label. Vocabularies and statistics come from train alone.
prepared = Path("prepared")
split = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])
preprocess = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
prepare(entry, split, preprocess, 13, table, prepared)
schema = load_schema(prepared)
train, valid, test = (load_examples(prepared, part) for part in ("train", "valid", "test"))

# Search, and compare the winner with baselines on the test rows.
result = run_search(
    zoo.build("deepfm", schema),
    Rows(train.inputs(), train.label),
    Rows(valid.inputs(), valid.label),
    SearchSettings(max_trials=2, budget=Budget(epochs=8, patience=2), seed=13, workers=0),
    directory=Path("trials"),
)
model = result.load_model()
splits = Splits(train, valid, test, schema, seed=13, refit=False)
for name, figures in evaluate(predict(model, test.inputs()), splits).figures.items():
    print(f"{name:10} test cross entropy {figures['ce']:.4f}, AUC {figures['auc']:.4f}")

# Save preprocessing and model together: they turn raw rows into probabilities, even for new ids.
Scorer(Preprocessor.load(prepared), model).save(Path("scorer"))
rows = pd.DataFrame(
    {"user_id": ["u1", "nobody"], "song": ["s5", "s6"], "hour": [20, 3], "price": [1.5, None]}
)
print(Scorer.load(Path("scorer")).score(rows))
