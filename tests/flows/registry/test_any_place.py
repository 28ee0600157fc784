"""A registry works in a folder of any name, for columns of any names, and after a move."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.csv
import pytest

from flows.processes.mlflow_store import correct_places
from flows.processes.model_process import fetch
from flows.registry.aliases import roll_back
from flows.registry.loading import export_version, load_scorer
from flows.registry.register import register
from flows.registry.versions import aliased, client, get_version, set_tags
from flows.serving.files.score_files import score_file
from flows.tracking.mlflow_runs import connect

pytestmark = pytest.mark.slow
DATASET = "small"
USER, ITEM = "user_id:token", 'item %/\\ \n?#:"[x]"'
NUMBERS = ["class", "100%20", "größe €"]


def rows(count: int, seed: int) -> pd.DataFrame:
    """Ratings whose columns have names that addresses, files and Python do not allow."""
    random = np.random.default_rng(seed)
    made = {USER: random.integers(0, 20, count), ITEM: random.integers(0, 9, count)}
    numbers = {name: random.normal(size=count) for name in NUMBERS}
    return pd.DataFrame({**made, **numbers, "rating": random.integers(1, 6, count) * 1.0})


def make_scorer(params_file: Path, folder: Path, seed: int) -> None:
    """Saves a model with random weights."""
    import keras
    import keras_tuner

    from autorec_core import zoo
    from autorec_core.data.encoding.preprocessor import Preprocessor
    from autorec_core.scorer import Scorer
    from flows.config import Params

    params = Params.load(params_file)
    columns = {"user": USER, "item": ITEM, "categorical": [USER, ITEM], "numeric": NUMBERS}
    columns |= {"time": None, "ignored": []}
    entry = params.dataset(DATASET).model_copy(update=columns)
    preprocessor = Preprocessor.fit(entry, params.preprocess, rows(200, seed))
    keras.utils.set_random_seed(seed)
    model = zoo.build("mf", preprocessor.schema).build(keras_tuner.HyperParameters())
    Scorer(preprocessor, model).save(folder)


@pytest.fixture(scope="module")
def workspace(small_params, tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A workspace with two versions that has been moved, and what the second one scores."""
    from autorec_core.scorer import Scorer

    top = tmp_path_factory.mktemp("top")
    root = top / "a b#ü%20?c[x]=1"
    root.mkdir()
    shutil.copy(small_params, root / "params.yaml")
    some = rows(30, 3)
    for number in (1, 2):
        scorer = root / "data" / "model" / DATASET
        make_scorer(root / "params.yaml", scorer, number)
        features = some[Scorer.load(scorer).columns]
        scores = Scorer.load(scorer).score(features)
        tags = {"promoted.over": "1"} if number == 2 else {}
        assert number == register(
            DATASET,
            scorer,
            features,
            scores,
            run=None,
            tags=tags,
            lineage={"dataset": DATASET},
            metrics={"mse": 1.0},
            root=root,
        )
    client(root).set_registered_model_alias(f"autorec-{DATASET}", "champion", "2")
    client(root).set_registered_model_alias(f"autorec-{DATASET}", "previous", "1")
    shutil.rmtree(root / "data")
    moved = root.rename(top / "moved & größer? 100%")
    some.to_csv(moved / "some rows.csv", index=False)
    return moved, scores


def test_the_champion_scores_a_file_after_the_move(workspace):
    root, scores = workspace

    version = score_file(DATASET, root / "some rows.csv", root / "scores [/x].csv", root=root)

    assert version.number == 2
    found = pyarrow.csv.read_csv(
        root / "scores [/x].csv",
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
    )
    assert found.column_names == [*rows(1, 0).columns, "score"]
    assert found["score"].to_numpy() == pytest.approx(scores, abs=1e-5)


def test_mlflow_s_own_model_scores_frames(workspace):
    root, scores = workspace
    connect(root)

    model = mlflow.pyfunc.load_model(f"models:/autorec-{DATASET}@champion")

    assert model.predict(rows(30, 3).drop(columns="rating")) == pytest.approx(scores, abs=1e-5)


def test_it_is_exported(workspace, tmp_path):
    root, _ = workspace

    export_version(aliased(DATASET, "champion", root), tmp_path / "#1 %20", root)

    assert (tmp_path / "#1 %20" / "saved_model" / "1" / "saved_model.pb").exists()


def test_a_version_registered_after_the_move_is_in_the_new_folder(
    workspace, small_params, tmp_path
):
    root, _ = workspace
    make_scorer(small_params, tmp_path / DATASET, 3)

    number = register(
        DATASET,
        tmp_path / DATASET,
        rows(3, 3)[[USER, ITEM, *NUMBERS]],
        np.ones(3),
        run=None,
        tags={},
        lineage={},
        metrics={},
        root=root,
    )

    assert load_scorer(get_version(DATASET, number, root), root).columns == [USER, ITEM, *NUMBERS]
    assert [one.name for one in root.parent.iterdir()] == [root.name]


def test_it_is_rolled_back_in_a_separate_process(workspace):
    root, _ = workspace
    set_tags(client(root), DATASET, 2, {"state": "promoted"})

    assert "Version 1 is the champion again" in roll_back(DATASET, "moved", root)


def test_a_program_with_mlflow_alone_finds_them_once_doctor_has_corrected_the_addresses(
    workspace, tmp_path, monkeypatch
):
    """MLflow resolves a relative address against the program's folder, so they are absolute."""
    from flows.addresses import sqlite_address
    from flows.cli.doctor import _services

    copy, moved = tmp_path / "copy", tmp_path / "moved"
    shutil.copytree(workspace[0], copy)
    correct_places(copy)
    copy.rename(moved)
    address = sqlite_address(moved / "mlflow.db")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(name, address)  # MLflow sets them too, and later tests must not see them
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    champion = f"models:/autorec-{DATASET}@champion"

    with pytest.raises((OSError, mlflow.exceptions.MlflowException), match="No such artifact"):
        mlflow.artifacts.download_artifacts(champion)
    found = [one.found for one in _services(moved, {}) if one.area == "mlflow"]
    assert "the workspace was moved; corrected" in found[1]
    assert (Path(mlflow.artifacts.download_artifacts(champion)) / "MLmodel").exists()


def test_files_that_are_gone_are_not_called_altered(workspace, tmp_path):
    root, _ = workspace
    version = get_version(DATASET, 2, root)
    artifacts = root / "mlartifacts"
    artifacts.rename(root / "aside")
    try:
        with pytest.raises(ValueError, match=r"not where the registry has them, at file:.*moved"):
            fetch(f"models:/autorec-{DATASET}/2", tmp_path, version.tags["sha256"])
    finally:
        (root / "aside").rename(artifacts)
