"""Prepared data in a folder, for the tests of recommending."""

from __future__ import annotations

from pathlib import Path

import keras
import keras_tuner
import pandas as pd
import pytest
import side_tables as shop
import yaml
from entries import ratings_entry
from fastapi import FastAPI
from serve_settings import serve_settings

from autorec_core import zoo
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_rows
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry.versions import Version
from flows.serving.api.app import make_app
from flows.serving.api.live_model import Champion
from flows.serving.api.prometheus import Measures
from flows.serving.api.recommend_requests import Recommendations
from flows.workspace import Places

DATASET = "small"
SETTINGS = serve_settings(max_rows=50, max_body_bytes=20_000, refresh_seconds=60.0)


class Seen:
    """A workspace with the rows that its users have been seen with, and what a model makes of them.

    Args:
        root: The workspace.
        scorer: The model's folder.
    """

    def __init__(self, root: Path, scorer: Path) -> None:
        self.root = root
        self.scorer = Scorer.load(scorer)
        prepared = Places(DATASET, root).prepared
        self.rows = pd.concat([load_rows(prepared, part) for part in ("train", "valid", "test")])

    def app(self) -> FastAPI:
        """A server of the model."""
        version = Version(DATASET, 3, ("champion",), {}, 0)
        champion = Champion(lambda: version, lambda _: self.scorer, SETTINGS.refresh_seconds)
        return make_app(champion, SETTINGS, Measures(), Recommendations(DATASET, self.root))

    def of(self, user: str) -> set[str]:
        """The items a user has met."""
        return set(self.rows.loc[self.rows["user_id"] == user, "item_id"])

    def best(self, user: str, top: int, without=(), items=range(25)) -> list[str]:
        """A user's best items, from the score of each candidate row."""
        left = [str(item) for item in items if str(item) not in without]
        scores = self.scorer.score_lists({"user_id": [user] * len(left), "item_id": left})
        return [item for _, item in sorted(zip(-scores, left, strict=True))][:top]

    def popular(self, top: int) -> list[str]:
        """The items with the most rows in train."""
        vocabulary = self.scorer.preprocessor.vocabularies["item_id"]
        counts = zip(-vocabulary.counts.to_numpy(), vocabulary.values.to_pylist(), strict=True)
        return [item for _, item in sorted(counts)][:top]


@pytest.fixture(scope="session")
def seen(models, small_params, tmp_path_factory) -> Seen:
    """A workspace whose prepared data are the test rows of the models."""
    root = tmp_path_factory.mktemp("seen")
    (root / "params.yaml").write_text(small_params.read_text("utf-8"), encoding="utf-8")
    params = Params.load(root / "params.yaml")
    rows = models.test.drop_duplicates(["user_id", "item_id"])
    rows = rows.assign(rating=rows["rating"].round(), timestamp=range(len(rows)))
    rows.to_csv(root / "raw.tsv", sep="\t", header=False, index=False)
    places = Places(DATASET, root)
    entry = params.dataset(DATASET)
    prepare(entry, params.split, params.preprocess, 1, root / "raw.tsv", places.prepared)
    return Seen(root, models.good)


@pytest.fixture(scope="session")
def stocked(small_params, tmp_path_factory) -> Seen:
    """A workspace with prepared data whose items have a table of their own; nothing is learned."""
    root = tmp_path_factory.mktemp("stocked")
    content = yaml.safe_load(small_params.read_text(encoding="utf-8"))
    content["datasets"][DATASET] = ratings_entry(tables=shop.TABLES).model_dump(mode="json")
    (root / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    params, places = Params.load(root / "params.yaml"), Places(DATASET, root)
    raw = shop.write_raw(root / "raw")
    entry = params.dataset(DATASET)
    prepare(entry, params.split, params.preprocess, 1, raw, places.prepared)
    preprocessor = Preprocessor.load(places.prepared)
    keras.utils.set_random_seed(3)
    model = zoo.build("deepfm", preprocessor.schema).build(keras_tuner.HyperParameters())
    Scorer(preprocessor, model).save(root / "scorer")
    return Seen(root, root / "scorer")
