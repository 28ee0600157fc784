"""What is left of the test rows when data grow, and whether the gate can still decide.

python benchmarks/growing_data.py > benchmarks/results/growing_data.json

Two experiments, each with both splits that a random choice can make (`split.strategy`):

- 100,000 different rows, and 100 new ones inserted anywhere: how many test rows of the new version
  has a champion of the old version not learned from?
- Clicks on few pages and ads, where nearly all rows equal others; the file grows by a fifth. The
  champion knows the click rate of each page, the challenger that of each page and ad. How many of
  40 challengers are promoted? And how many that know no more than the champion, but from more rows?
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autorec_core.config import DatasetParams, PreprocessParams, SplitParams
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_rows
from autorec_core.evaluation.figures import row_losses
from flows.registry.gate import compare
from flows.registry.unseen_rows import basis

STRATEGIES = ("stratified", "hash")
FEWEST = 100
REPEATS = 40
PREPROCESS = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)


def entry(task: str, columns: list[str]) -> DatasetParams:
    """Returns the entry of a CSV file with a label and these columns."""
    return DatasetParams.model_validate(
        {
            "title": "made up",
            "task": task,
            "file": "rows.csv",
            "sha256": None,
            "sources": [{"kind": "file", "path": "rows.csv"}],
            "format": {
                "kind": "delimited",
                "separator": ",",
                "header": True,
                "quoted": False,
                "columns": [],
            },
            "label": "label",
            "categorical": columns,
            "multi_valued": {},
            "numeric": [],
            "ignored": [],
            "user": None,
            "item": None,
            "time": None,
            "sample": None,
            "tables": {},
            "on_bad_rows": "fail",
            "max_bad_rows": 1,
            "facts": {
                "label_values": None,
                "label_mean": None,
                "min_rows": 1,
                "unique": [],
                "ranges": {},
                "max_psi": None,
                "warn_only": [],
            },
        }
    )


def divided(rows: pd.DataFrame, about: DatasetParams, strategy: str, folder: Path) -> Path:
    """Prepares the rows; returns the folder of their splits."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    raw = folder.with_suffix(".csv")
    rows.to_csv(raw, index=False)
    split = SplitParams(strategy=strategy, ratios=[0.8, 0.1, 0.1])
    prepare(about, split, PREPROCESS, 1, raw, folder)
    return folder


def learned_from(folder: Path) -> LearnedRows:
    """Returns the record of the rows that a model of these splits learned from."""
    return LearnedRows.of([folder / f"rows_{part}.parquet" for part in ("train", "valid")])


def inserted(old: pd.DataFrame, new: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Puts each new row anywhere between the old ones."""
    places = np.random.default_rng(seed).integers(0, len(old), len(new)) - 0.5
    order = np.argsort(np.concatenate([np.arange(len(old)), places]), kind="stable")
    return pd.concat([old, new], ignore_index=True).iloc[order]


def different_rows(strategy: str, folder: Path) -> dict[str, Any]:
    """Inserts 100 rows into 100,000; counts the test rows that the old champion did not see."""
    random = np.random.default_rng(0)
    every = pd.DataFrame(
        {
            "user": random.integers(0, 5000, 100_100),
            "item": np.arange(100_100),
            "label": random.integers(1, 6, 100_100),
        }
    )
    about = entry("rating", ["user", "item"])
    old, new = every.iloc[:100_000], every.iloc[100_000:]
    before = learned_from(divided(old, about, strategy, folder / "before"))
    now = load_rows(divided(inserted(old, new, 1), about, strategy, folder / "now"), "test")
    _, learned = before.find_learned(now)
    return {"test_rows": len(now), "not_learned_from": int((~learned).sum())}


def rates(rows: pd.DataFrame) -> pd.Series:
    """Returns the true click rate of each row."""
    page, ad = rows["page"].astype(int), rows["ad"].astype(int)  # prepared rows hold text
    return 1 / (1 + np.exp(2.0 - 0.5 * page + 0.9 * (-1.0) ** (page + ad)))


def clicks(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Makes clicks on five pages and four ads."""
    made = pd.DataFrame({"page": random.integers(0, 5, rows), "ad": random.integers(0, 4, rows)})
    return made.assign(label=(random.random(rows) < rates(made)).astype(int))


def predicted(known: pd.DataFrame, rows: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Predicts the click rate of the known rows with the same columns."""
    rates = known.groupby(columns)["label"].mean().rename("rate")
    return rows.join(rates, on=columns)["rate"].to_numpy(np.float64)


def expected_loss(scores: np.ndarray, rows: pd.DataFrame) -> float:
    """Returns the cross entropy that predictions of these rows have in the long run."""
    truth = rates(rows).to_numpy()
    return float(-np.mean(truth * np.log(scores) + (1 - truth) * np.log(1 - scores)))


def few_different_rows(strategy: str, folder: Path) -> dict[str, Any]:
    """Lets clicks on few pages and ads grow, and compares challengers with an old champion."""
    about = entry("ctr", ["page", "ad"])
    left, tested, narrowed, better, similar, worse = [], [], 0, 0, 0, 0
    for seed in range(REPEATS):
        random = np.random.default_rng(seed)
        old, new = clicks(random, 10_000), clicks(random, 2_000)
        champion = divided(old, about, strategy, folder / f"{seed}-before")
        now = divided(inserted(old, new, seed), about, strategy, folder / f"{seed}-now")
        test = load_rows(now, "test")
        record = learned_from(champion)
        tested.append(len(test))
        left.append(int((~record.find_learned(test)[1]).sum()))
        used = basis(1, record, test, fewest=FEWEST)
        narrowed += used.counted is not None
        judged = test if used.counted is None else test[used.counted]
        known = [
            pd.concat([load_rows(one, "train"), load_rows(one, "valid")]) for one in (champion, now)
        ]
        labels = judged["label"].to_numpy(np.float64)
        pages, both = ["page"], ["page", "ad"]
        of_pages, of_both, of_pages_now = (
            predicted(rows, judged, columns)
            for rows, columns in ((known[0], pages), (known[1], both), (known[1], pages))
        )
        losses = row_losses("ctr", labels, of_pages)
        better += compare(losses, row_losses("ctr", labels, of_both), seed).wins(0.0)
        if compare(losses, row_losses("ctr", labels, of_pages_now), seed).wins(0.0):
            similar += 1
            worse += expected_loss(of_pages_now, judged) > expected_loss(of_pages, judged)
    return {
        "test_rows_median": float(np.median(tested)),
        "not_learned_from_median": float(np.median(left)),
        "compared_on_unseen_rows_only": narrowed,
        "compared_on_all_rows": REPEATS - narrowed,
        "better_challengers_promoted": int(better),
        "challengers_of_the_same_kind_promoted": similar,
        "of_these_really_worse": int(worse),
        "of": REPEATS,
    }


def main() -> None:
    """Runs both experiments with both strategies and prints the counts as JSON."""
    found: dict[str, Any] = {}
    for strategy in STRATEGIES:
        with tempfile.TemporaryDirectory() as scratch:
            found[strategy] = {
                "100 rows inserted into 100,000": different_rows(strategy, Path(scratch) / "a"),
                "clicks on few pages and ads": few_different_rows(strategy, Path(scratch) / "b"),
            }
        print(strategy, "done", file=sys.stderr)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
