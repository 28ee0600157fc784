"""params.yaml is read strictly: what is wrong is named with its key, its value, what is allowed."""

from __future__ import annotations

import pytest
from project import PARAMS_FILE

from autorec_core.errors import ConfigError
from flows.config import Params

PARAMS = PARAMS_FILE


def load_changed(tmp_path, found, written):
    text = PARAMS.read_text(encoding="utf-8")
    assert found in text
    changed = tmp_path / "params.yaml"
    changed.write_text(text.replace(found, written, 1), encoding="utf-8")
    return Params.load(changed)


def test_the_projects_own_params_load_with_all_benchmark_data_sets():
    params = Params.load(PARAMS)

    assert {"movielens-100k", "movielens-1m", "netflix", "avazu", "criteo"} <= set(params.datasets)
    assert len(params.dataset("criteo").categorical) == 26
    assert len(params.dataset("criteo").numeric) == 13
    assert len(params.dataset("avazu").categorical) == 22
    assert params.dataset("avazu").sample == params.dataset("criteo").sample == 500_000


@pytest.mark.parametrize(
    ("found", "written", "said"),
    [
        ("max_trials: 10", "max_trials: -1", "`search.max_trials` is -1"),
        ("objective: null ", "objective: val_f1 ", "known objectives: val_1-ndcg@10, val_auc"),
        ("seconds: null ", "seconds: 0 ", "`search.seconds` is 0"),
        ("address: null ", "address: localhost ", "`compute.address` is 'localhost'"),
        ("[0.8, 0.1, 0.1]", "[0.8, 0.1, 0.2]", "these sum to 1.1"),
        ("min_count: 1 ", "min_cuont: 1 ", "unknown key `preprocess.min_cuont`"),
        ("numeric: log ", "numeric: sqrt ", "`preprocess.numeric` is 'sqrt'"),
        ("strategy: stratified", "strategy: random", "`split.strategy` is 'random'"),
        ("on_bad_rows: fail ", "on_bad_rows: ignore ", "datasets.movielens-100k.on_bad_rows"),
        ("user: user_id", "user: rating", "`user` names 'rating'"),
        ("ignored: [timestamp]", "ignored: [user_id]", "columns with two roles: user_id"),
        ("ignored: [timestamp]", "ignored: [time]", "'time' is not among the columns"),
        ("unique: [user_id, item_id]", "unique: [user, item_id]", "`facts.unique` names 'user'"),
        ("sha256: 50d2a982", "sha256: 50D2a982", "datasets.movielens-100k.sources.1"),
        ("kind: wheel ", "kind: whele ", "datasets.movielens-100k.sources.2"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, found, written, said):
    with pytest.raises(ConfigError) as caught:
        load_changed(tmp_path, found, written)

    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "params.yaml"))


def test_a_file_without_header_needs_its_columns_named(tmp_path):
    found = "columns: [user_id, item_id, rating, timestamp]}"

    with pytest.raises(ConfigError, match="name the `columns` of a file that has no header line"):
        load_changed(tmp_path, found, "columns: []}")


def test_broken_yaml_is_reported_with_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"params\.yaml, line 3"):
        load_changed(tmp_path, "seed: 13", "seed: 13: 14")


def test_an_objective_of_the_other_task_is_refused_before_anything_is_built(tmp_path):
    params = load_changed(tmp_path, "objective: null ", "objective: val_auc ")

    with pytest.raises(ConfigError, match="'val_auc' of a rating model"):
        params.buildable("movielens-100k")


def test_by_default_the_speed_of_the_machine_decides_no_result():
    params = Params.load(PARAMS)
    assert params.search.seconds is None
    assert params.train.max_latency_ms is None


def test_every_section_can_be_read_as_a_dictionary():
    """Prefect does so with a task's arguments; a property called `keys` would break it."""
    params = Params.load(PARAMS)

    for section in (params, params.split, *params.datasets.values()):
        assert list(dict(section)) == list(type(section).model_fields)


@pytest.mark.parametrize("name", ["movielens-100k", "movielens-1m"])
def test_an_entry_with_side_tables_has_the_rows_of_the_plain_one(name):
    params = Params.load(PARAMS_FILE)
    plain, side = params.dataset(name), params.dataset(f"{name}-side")

    assert not plain.tables
    assert plain == side.model_copy(update={"tables": {}, "title": plain.title})
    assert {table.joins for table in side.tables.values()} == {side.user, side.item}
