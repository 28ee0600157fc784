"""`autorec run DATASET --model X` writes the model into params.yaml."""

from __future__ import annotations

import shutil

import pytest
from project import ROOT

from autorec_core.errors import ConfigError
from autorec_core.zoo import MODELS
from flows.cli.choose_model import choose_model
from flows.cli.params_file import set_value
from flows.config import Params


@pytest.fixture
def path(tmp_path):
    """The project's params, with a data set that has neither user nor item built as well."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    path = tmp_path / "params.yaml"
    text = path.read_text(encoding="utf-8")
    built = "datasets: [movielens-100k]"
    assert built in text
    path.write_text(text.replace(built, "datasets: [movielens-100k, criteo]"), encoding="utf-8")
    return path


def test_the_choice_is_written_into_params_and_nothing_else_changes(path):
    before = path.read_text(encoding="utf-8").splitlines()

    said = choose_model("deepfm", "movielens-100k", path)

    after = path.read_text(encoding="utf-8").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0][1].split("#") == [
        changed[0][0].split("#")[0].replace("auto", "deepfm"),
        changed[0][0].split("#")[1],
    ]
    assert Params.load(path).model.name == "deepfm"
    assert "`model.name` is now deepfm for all data sets; it was auto" in said


def test_choosing_again_changes_nothing(path):
    choose_model("deepfm", "movielens-100k", path)
    before = path.stat()
    assert "is deepfm." in choose_model("deepfm", "movielens-100k", path)
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("model", "dataset", "said"),
    [
        ("deepfmm", "movielens-100k", r"Unknown model 'deepfmm'.*Known models: auto, mf"),
        (
            "mf",
            "criteo",
            "mf needs a user and an item column, but this data set does not name both",
        ),
        ("neumf", "criteo", "neumf needs a user and an item column"),
        ("deepfm", "movielens-2m", "Unknown data set 'movielens-2m'"),
    ],
)
def test_a_choice_that_cannot_work_is_refused_before_anything_changes(path, model, dataset, said):
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=said):
        choose_model(model, dataset, path)
    assert path.read_bytes() == before


def test_every_ready_model_can_be_chosen_for_ratings(path):
    for name in MODELS:
        choose_model(name, "movielens-100k", path)
        assert Params.load(path).model.name == name


def test_an_edit_that_would_break_the_file_is_refused(path):
    with pytest.raises(ConfigError, match=r"`model\.space` is 'wide'"):
        set_value("model.space", "wide", path)
    with pytest.raises(ConfigError, match=r"the key `model\.nome` is missing"):
        set_value("model.nome", "mf", path)
