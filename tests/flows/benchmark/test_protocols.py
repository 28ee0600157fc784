"""Protocols divide rows by published folds; the pipeline does not see a fold's test part."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from project import PARAMS_FILE, ROOT

from autorec_core.data.preparing.store import load_rows, load_schema
from autorec_core.data.synthetic.generator import generate
from autorec_core.errors import ConfigError, DataError
from flows.benchmark.command import Wanted
from flows.benchmark.plan import Group, source_of_files, split_name
from flows.benchmark.protocol_table import PUBLISHED, protocol_tables, published_table
from flows.benchmark.protocols import PROTOCOLS, Fold, folds_of, own_folds
from flows.benchmark.result_lines import key
from flows.benchmark.run import _split
from flows.config import Params

PARAMS = Params.load(PARAMS_FILE)
U1_U5 = "movielens-100k-u1-u5"


def test_fold_three_of_movielens_100k_tests_rows_40001_to_60000():
    test = PROTOCOLS[U1_U5].test(3)

    assert np.flatnonzero(test).tolist() == list(range(40_000, 60_000))
    assert len(test) == 100_000


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_row_is_tested_in_exactly_one_fold(name):
    protocol = PROTOCOLS[name]

    times = sum(protocol.test(fold).astype(int) for fold in range(1, protocol.folds + 1))

    assert len(times) == protocol.rows
    assert (times == 1).all()


def test_an_unknown_protocol_or_fold_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="Known: movielens-100k-u1-u5, movielens-1m-90-10"):
        folds_of("u1", [])
    with pytest.raises(ConfigError, match="has the folds 1 to 5"):
        folds_of(U1_U5, [6])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"folds": [1]}, "--protocol"),
        ({"protocol": U1_U5, "rows": 100}, "--rows"),
        ({"fold_files": ["a:b"]}, "one `--dataset`"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        Wanted(**wrong)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate("movielens", 500, tmp_path / "base.dat", seed=1)
    rows = (tmp_path / "base.dat").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "base.dat").write_text("".join(rows[:400]), encoding="utf-8")
    (tmp_path / "test.dat").write_text("".join(rows[400:]), encoding="utf-8")
    return rows


def test_the_test_file_of_a_users_fold_is_the_test_part_and_nothing_is_learned_from_it(files):
    with Path("test.dat").open("a", encoding="utf-8") as file:
        file.write("999999::888888::3::978300760\n")
    (fold,) = own_folds(["base.dat:test.dat"])
    source = source_of_files(PARAMS, "movielens-1m", list(fold.files))
    folder = _split(PARAMS, Group(source, "mean", "outside", seed=1, fold=fold))

    test = load_rows(folder, "test")
    known = [load_rows(folder, part) for part in ("train", "valid")]

    assert len(test) == 101
    assert test["user_id"].iloc[-1] == "999999"
    assert test["user_id"].iloc[0] == files[400].split("::")[0]
    assert [len(part) for part in known] == [356, 44]  # 8 : 1 of 400
    (column,) = [one for one in load_schema(folder).categorical if one.name == "user_id"]
    users = {user for part in known[:1] for user in part["user_id"]}
    assert column.vocabulary_size == len(users) + 1
    assert load_schema(folder).label_range is not None
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_another_fold_is_another_split_and_another_cell(files):
    source = source_of_files(PARAMS, "movielens-1m", [Path("base.dat")])
    groups = [Group(source, "mf", "extended", 1, ("random",), Fold(U1_U5, n)) for n in (1, 2)]
    plain = dataclasses.replace(groups[0], fold=None)

    names = [split_name(PARAMS, group) for group in (*groups, plain)]
    keys = [key(next(group.names())) for group in (*groups, plain)]

    assert len(set(names)) == 3
    assert len(set(keys)) == 3


def test_folds_of_another_number_of_rows_than_the_file_are_refused(files):
    source = source_of_files(PARAMS, "movielens-1m", [Path("base.dat")])

    with pytest.raises(DataError, match=r"of 100,000 rows, but the raw file has 400"):
        _split(PARAMS, Group(source, "mean", "outside", seed=1, fold=Fold(U1_U5, 1)))


def test_a_missing_file_of_a_fold_is_named(files):
    with pytest.raises(DataError, match="is not a file"):
        own_folds(["base.dat:gone.dat"])
    with pytest.raises(ConfigError, match="TRAIN:TEST"):
        own_folds(["base.dat"])


def line(**changes):
    return {
        "protocol": U1_U5,
        "fold": 1,
        "dataset": "movielens-100k",
        "title": "MovieLens 100K",
        "task": "rating",
        "model": "myfm",
        "space": "outside",
        "tuner": None,
        "seconds": 60,
        "test": {"rmse": 0.9, "mse": 0.81},
        **changes,
    }


def test_the_table_shows_each_fold_and_their_mean_the_best_model_last():
    ours = {"model": "autorec_rp", "space": "extended", "tuner": "random", "trials": 10}
    text = protocol_tables(
        [
            line(**ours, test={"rmse": 0.88}),
            line(**ours, fold=2, test={"rmse": 0.86}),
            line(),
            line(fold=2, test={"rmse": 0.89}),
            line(model="bias"),
            {"dataset": "movielens-100k", "model": "mf"},
        ]
    )

    rows = [row for row in text.splitlines() if row.startswith("| ")]
    assert (
        rows[-1] == "| **AutoRec-RP**, extended, random, 10 trials | .8800 | .8600 | .8700 | 1.0 |"
    )
    assert rows[-2] == "| Bayesian factorisation machine (myFM) | .9000 | .8900 | .8950 | 1.0 |"
    assert rows[-3].endswith("| .9000 | – | – | 1.0 |")


def test_the_page_shows_the_published_figures_with_their_sources():
    entries = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")

    assert published_table() in page
    for entry in entries:
        assert entry["protocol"] in PROTOCOLS
        assert entry["source"].startswith("https://")
        assert 0.7 < entry["rmse"] < 1.0
