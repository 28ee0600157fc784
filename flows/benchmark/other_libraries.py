"""Baselines that are not AutoRec's: this project's simple ones, and other libraries' models.

Every one learns from train and valid together and predicts test, as AutoRec's winner does in the
extended space; LightGBM alone needs valid to know when to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.evaluation import baselines

NEEDS: Mapping[str, str] = {"lightgbm": "lightgbm", "svd": "surprise", "svdpp": "surprise"}
"""The module that a baseline needs beyond AutoRec's own; the extra `bench` brings them."""


@dataclass(frozen=True)
class Splits(baselines.Splits):
    """The rows of one split seed, encoded and raw.

    Args:
        folder: Where `prepare` has put them.
    """

    folder: Path

    @classmethod
    def load(cls, folder: Path, seed: int) -> Splits:
        """Reads the rows of a split; baselines learn from train and valid together."""
        train, valid, test = (load_examples(folder, part) for part in PARTS)
        return cls(train, valid, test, load_schema(folder), seed, refit=True, folder=folder)

    def raw(self, part: str, columns: list[str]) -> Any:
        """Columns of a part's raw rows, in the order of its encoded ones, as a pandas frame."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.folder / f"rows_{part}.parquet") as file:
            return file.read(columns=columns).to_pandas()


def available(name: str) -> bool:
    """Whether what a baseline needs is installed."""
    return name not in NEEDS or find_spec(NEEDS[name]) is not None


def _simple(baseline: baselines.Baseline) -> Callable[[Splits], np.ndarray]:
    return lambda splits: baseline.predict(splits).scores


def _lightgbm(splits: Splits) -> np.ndarray:
    import lightgbm

    columns = splits.train.categorical.shape[1]
    parts = [
        lightgbm.Dataset(
            np.hstack([part.categorical.astype(np.float64), part.numeric]),
            part.label,
            categorical_feature=list(range(columns)),
            free_raw_data=False,
        )
        for part in (splits.train, splits.valid)
    ]
    settings = {
        "objective": "binary",
        "learning_rate": 0.05,
        "seed": splits.seed,
        "deterministic": True,
        "num_threads": 1,
        "verbose": -1,
    }
    model = lightgbm.train(
        settings,
        parts[0],
        num_boost_round=2000,
        valid_sets=[parts[1]],
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )
    features = np.hstack([splits.test.categorical.astype(np.float64), splits.test.numeric])
    return np.asarray(model.predict(features, num_threads=1))


def _surprise(kind: str) -> Callable[[Splits], np.ndarray]:
    def predict(splits: Splits) -> np.ndarray:
        import pandas as pd
        import surprise

        schema = splits.schema
        columns = [str(schema.user), str(schema.item), schema.label]
        # The raw ids: Surprise keeps a vocabulary of its own, of train and valid.
        train, valid, test = (splits.raw(part, columns) for part in ("train", "valid", "test"))
        reader = surprise.Reader(rating_scale=schema.label_range)
        known = surprise.Dataset.load_from_df(pd.concat([train, valid]), reader)
        model = getattr(surprise, kind)(random_state=splits.seed).fit(known.build_full_trainset())
        asked = zip(*(test[name] for name in columns[:2]), strict=True)
        return np.array([model.predict(user, item).est for user, item in asked])

    return predict


_OTHERS: dict[str, dict[str, Callable[[Splits], np.ndarray]]] = {
    "rating": {"svd": _surprise("SVD"), "svdpp": _surprise("SVDpp")},
    "ctr": {"lightgbm": _lightgbm},
}
BASELINES: dict[str, dict[str, Callable[[Splits], np.ndarray]]] = {
    task: {**{one.name: _simple(one) for one in baselines.baselines_of(task)}, **others}
    for task, others in _OTHERS.items()
}
"""By task and name: the rows in, float64 predictions of the test rows out."""
