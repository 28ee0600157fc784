"""Baselines of the benchmark: this project's simple baselines, and models of other libraries.

They learn from train and valid together and predict test, as AutoRec's winner in the extended
space. Only LightGBM learns from train alone, because it needs valid for early stopping.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.errors import DataError
from autorec_core.evaluation import baselines
from flows.benchmark.outside.environments import MYFM, Environment

NEEDS: Mapping[str, str] = {
    "lightgbm": "lightgbm",
    "svd": "surprise",
    "svdpp": "surprise",
    "knn": "surprise",
}
"""The module that a baseline needs. The extra `bench` installs these modules."""
ENVIRONMENTS: Mapping[str, Environment] = {"myfm": MYFM}
"""The environment that a baseline needs, because it cannot be installed next to this project."""


@dataclass(frozen=True)
class Splits(baselines.Splits):
    """The rows of one split seed, encoded and raw.

    Args:
        folder: The folder that `prepare` wrote.
    """

    folder: Path

    @classmethod
    def load(cls, folder: Path, seed: int) -> Splits:
        """Loads the rows of a split. Baselines learn from train and valid together."""
        train, valid, test = (load_examples(folder, part) for part in PARTS)
        return cls(train, valid, test, load_schema(folder), seed, refit=True, folder=folder)

    def raw(self, part: str, columns: list[str]) -> Any:
        """Reads columns of a part's raw rows, in the order of its encoded rows."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.folder / f"rows_{part}.parquet") as file:
            return file.read(columns=columns).to_pandas()


def available(name: str) -> bool:
    """Returns whether the module or the environment that a baseline needs is installed."""
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name].is_there
    return name not in NEEDS or find_spec(NEEDS[name]) is not None


def make_environments(tasks: Collection[str]) -> list[str]:
    """Makes the environments of the baselines of some tasks, if they do not exist.

    Returns:
        A sentence for each that cannot be made.
    """
    problems = []
    for task in tasks:
        for name in BASELINES[task]:
            try:
                if name in ENVIRONMENTS:
                    ENVIRONMENTS[name].make()
            except DataError as error:
                problems.append(str(error))
    return problems


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


def _surprise(kind: str, **settings: Any) -> Callable[[Splits], np.ndarray]:
    def predict(splits: Splits) -> np.ndarray:
        import pandas as pd
        import surprise

        schema = splits.schema
        columns = [str(schema.user), str(schema.item), schema.label]
        # Raw ids, because Surprise builds its own vocabulary from train and valid.
        train, valid, test = (splits.raw(part, columns) for part in ("train", "valid", "test"))
        reader = surprise.Reader(rating_scale=schema.label_range)
        known = surprise.Dataset.load_from_df(pd.concat([train, valid]), reader)
        model = getattr(surprise, kind)(random_state=splits.seed, **settings)
        model.fit(known.build_full_trainset())
        asked = zip(*(test[name] for name in columns[:2]), strict=True)
        return np.array([model.predict(user, item).est for user, item in asked])

    return predict


def _myfm(splits: Splits) -> np.ndarray:
    schema = splits.schema
    places = [schema.position(str(name)) for name in (schema.user, schema.item)]
    rows = {
        "known": splits.known.categorical[:, places],
        "labels": splits.known.label.astype(np.float64),
        "test": splits.test.categorical[:, places],
        "sizes": np.array([schema.categorical[place].vocabulary_size for place in places]),
        "seed": np.array(splits.seed),
    }
    return np.clip(MYFM.predict(rows), *schema.label_range)


_NEIGHBOURS = {"name": "pearson_baseline", "user_based": False}
_OTHERS: dict[str, dict[str, Callable[[Splits], np.ndarray]]] = {
    "rating": {
        "svd": _surprise("SVD"),
        "svdpp": _surprise("SVDpp"),
        "knn": _surprise("KNNBaseline", sim_options=_NEIGHBOURS, verbose=False),
        "myfm": _myfm,
    },
    "ctr": {"lightgbm": _lightgbm},
}
BASELINES: dict[str, dict[str, Callable[[Splits], np.ndarray]]] = {
    task: {**{base.name: _simple(base) for base in baselines.baselines_of(task)}, **others}
    for task, others in _OTHERS.items()
}
"""Functions by task and name. Each takes the rows and returns float64 predictions of test."""
