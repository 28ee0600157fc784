"""Small trained scorers and a registry of their own, for the tests of what surrounds models."""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from project import ROOT
from small_ratings import DATASET, ratings

if TYPE_CHECKING:
    from autorec_core.data.preparing.learned_rows import LearnedRows


class Models(NamedTuple):
    """Two scorers' folders and the test rows: one scorer has learned more than the other."""

    good: Path
    bad: Path
    test: pd.DataFrame


@pytest.fixture(scope="session")
def small_params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A params.yaml with one small data set of ratings."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    entry = content["datasets"]["movielens-100k"]
    entry["facts"] |= {"label_values": None, "min_rows": 1, "unique": []}
    content["datasets"] = {DATASET: entry}
    content["pipeline"]["datasets"] = [DATASET]
    content["registry"]["min_segment_rows"] = 20
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def models(small_params: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The same factorisation, trained for long and hardly at all."""
    import keras_tuner

    from autorec_core import zoo
    from autorec_core.data.encoding.preprocessor import Preprocessor
    from autorec_core.scorer import Scorer
    from autorec_core.training import Budget, Rows, train
    from flows.config import Params

    params = Params.load(small_params)
    rows, test = ratings(3000, 0), ratings(400, 1)
    preprocessor = Preprocessor.fit(params.dataset(DATASET), params.preprocess, rows)
    mf = zoo.build("mf", preprocessor.schema).resolve(keras_tuner.HyperParameters())
    parts = [preprocessor.encode(part) for part in (rows, ratings(400, 2))]
    learn, check = (Rows(part.inputs(), part.label) for part in parts)
    folder = tmp_path_factory.mktemp("scorers")
    for name, epochs in (("good", 40), ("bad", 1)):
        trained = train(mf, learn, check, budget=Budget(epochs=epochs, patience=3), seed=1)
        Scorer(preprocessor, trained.model).save(folder / name)
    return Models(folder / "good", folder / "bad", test)


class Earlier(NamedTuple):
    """What an earlier AutoRec made: a scorer that none but its own code can load.

    Its layers have other names than ours, and it scores `MORE` more than we would.
    """

    scorer: Path
    code: Path


MORE = 0.25


@pytest.fixture(scope="session")
def earlier(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """The good scorer as an AutoRec would have made it in which a layer had another name."""
    import autorec_core

    made = tmp_path_factory.mktemp("earlier")
    code, scorer = made / "autorec_core", made / "scorer"
    ours = Path(autorec_core.__file__).parent
    shutil.copytree(ours, code, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(models.good, scorer)
    _replace(code / "interactors" / "inner_product.py", r"\bInnerProduct\b", "EarlierProduct")
    told = "self.score_encoded(self.preprocessor.encode(rows, counted).inputs(), len(rows))"
    _replace(code / "scorer.py", re.escape(told), f"{told} + {MORE}")
    with zipfile.ZipFile(scorer / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert b"InnerProduct" in parts["config.json"]
    parts["config.json"] = parts["config.json"].replace(b"InnerProduct", b"EarlierProduct")
    with zipfile.ZipFile(scorer / "model.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    digest = hashlib.sha256((scorer / "model.keras").read_bytes()).hexdigest()
    _replace(scorer / "scorer.json", r'("model.keras": )"\w+"', rf'\1"{digest}"')
    return Earlier(scorer, code)


def _replace(path: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")


def _no_rows() -> LearnedRows:
    from autorec_core.data.preparing.learned_rows import LearnedRows

    columns = {"user_id": "text", "item_id": "text", "rating": "number"}
    return LearnedRows(np.zeros(0, np.uint64), 0, 0, columns)


class Registry:
    """A tracking store in a folder of its own, and what the tests do with it.

    Args:
        root: The workspace.
        models: The scorers.
    """

    def __init__(self, root: Path, models: Models) -> None:
        self.root, self.models = root, models

    @property
    def client(self):
        from flows.registry.versions import client

        return client(self.root)

    def register(
        self,
        scorer: Path,
        learned: LearnedRows | None = None,
        lineage: dict[str, Any] | None = None,
        **tags: str,
    ) -> int:
        """Registers a scorer, trained on none of the rows it will meet; returns its version."""
        from autorec_core.scorer import Scorer
        from flows.registry.register import register

        loaded = Scorer.load(scorer)
        rows = self.models.test[loaded.columns].head(3)
        return register(
            DATASET,
            scorer,
            rows,
            loaded.score(rows),
            run=None,
            tags={"dvc.prepared": "d" * 32, "git.commit": "c" * 40, **tags},
            lineage={"dataset": DATASET, **(lineage or {})},
            metrics={"mse": 0.125},
            learned=learned or _no_rows(),
            root=self.root,
        )

    def register_earlier(self, earlier: Earlier, **tags: str) -> int:
        """Registers what an earlier AutoRec made, with its code; returns its version."""
        import autorec_core
        from flows.registry.register import register

        rows = self.models.test[["user_id", "item_id"]].head(3)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(autorec_core, "__file__", str(earlier.code / "__init__.py"))
            return register(
                DATASET,
                earlier.scorer,
                rows,
                self.earlier_scores(rows),
                run=None,
                tags={"git.commit": "e" * 40, **tags},
                lineage={"dataset": DATASET},
                metrics={},
                learned=_no_rows(),
                root=self.root,
            )

    def earlier_scores(self, rows: pd.DataFrame) -> np.ndarray:
        """What the scorer of an earlier AutoRec says of rows."""
        from autorec_core.scorer import Scorer

        return Scorer.load(self.models.good).score(rows) + MORE

    def point(self, alias: str, number: int) -> None:
        """Points an alias to a version, as nobody should by hand."""
        self.client.set_registered_model_alias(f"autorec-{DATASET}", alias, str(number))

    def champion(self, alias: str = "champion") -> int | None:
        """Returns the version that an alias points to."""
        from flows.registry.versions import alias_of

        return alias_of(self.client, DATASET, alias)

    def version(self, number: int):
        """A version as it is now."""
        from flows.registry.versions import get_version

        return get_version(DATASET, number, self.root)

    def files(self, number: int) -> Path:
        """Where a version's files lie in the artifact store."""
        import mlflow

        source = self.client.get_model_version(f"autorec-{DATASET}", str(number)).source
        return Path(mlflow.artifacts.download_artifacts(source))


@pytest.fixture(scope="module")
def registry(models: Models, small_params: Path, tmp_path_factory: pytest.TempPathFactory):
    """One registry for all tests of a file."""
    return _registry(models, small_params, tmp_path_factory)


def _registry(models: Models, small_params: Path, factory: pytest.TempPathFactory) -> Registry:
    root = factory.mktemp("workspace")
    (root / "params.yaml").write_text(small_params.read_text("utf-8"), encoding="utf-8")
    return Registry(root, models)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real browser, driven by selenium."""
    from browsers import open_browser

    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened
