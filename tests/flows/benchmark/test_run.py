"""A benchmark runs each cell once, and continues where it stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from project import PARAMS_FILE

from autorec_core.data.synthetic.generator import generate
from autorec_core.errors import ConfigError
from autorec_core.training import Budget, Outcome, Task
from flows.benchmark.cells import Remembering
from flows.benchmark.command import Wanted
from flows.benchmark.plan import Settings, find_data, groups, is_whole
from flows.benchmark.result_lines import CELLS, RUNS, key, read_lines
from flows.benchmark.run import left, made_by_other_code, run_cells
from flows.config import Params

PARAMS = Params.load(PARAMS_FILE)
CHOICE = {"models": [], "tuners": ["random"], "spaces": ["thesis"], "seeds": [1], "outside": True}


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate("movielens", 1000, tmp_path / "ratings.dat", seed=1)
    found, missing = find_data(PARAMS, ["netflix"], {"movielens-1m": Path("ratings.dat")}, None)
    assert len(missing) == 1
    assert "--file netflix=PATH" in missing[0]
    return found[0]


def test_without_a_choice_the_models_are_those_of_the_thesis_tables(source):
    found = groups(PARAMS, [source], **CHOICE)

    names = [group.model for group in found if group.tuners]
    assert names == ["mf", "mlp", "neumf", "autorec_rp"]
    assert {"mean", "bias"} <= {group.model for group in found if not group.tuners}


def test_an_unknown_model_is_named_with_the_known_ones(source):
    with pytest.raises(ConfigError, match=r"Unknown model 'mff'. Known: auto, autoint"):
        groups(PARAMS, [source], **{**CHOICE, "models": ["mff"]})


def test_a_file_without_a_name_is_refused():
    with pytest.raises(ConfigError, match="NAME=PATH"):
        _ = Wanted(files=["ratings.dat"]).paths


def test_fewer_rows_than_the_data_set_has_are_a_sample(source):
    one, clicks = PARAMS.dataset("movielens-1m"), PARAMS.dataset("avazu")

    assert not is_whole(one, 10_000, source)
    assert is_whole(one, 1_000_209, source)
    assert not is_whole(one, 1_000_209, dataclasses.replace(source, most=2_000_000))
    assert is_whole(clicks, 500_000, source)  # the thesis has drawn as many
    assert not is_whole(clicks, 499_999, source)


def test_a_trial_that_two_searchers_ask_for_is_run_once(tmp_path):
    ran = []

    def run(task):
        ran.append(task)
        return Outcome(score=0.5, model=b"weights")

    task = Task(0, {"mapper": 1}, None, None, Budget(2, 1), "val_mse", seed=1)
    executor = Remembering(tmp_path)
    first = executor.submit(run, task).result()
    again = executor.submit(run, dataclasses.replace(task, number=3)).result()
    executor.submit(run, dataclasses.replace(task, seed=2)).result()

    assert again == first
    assert again.model == b"weights"
    assert [one.seed for one in ran] == [1, 2]


@pytest.mark.slow
def test_finished_cells_are_lines_and_are_not_run_again(source, tmp_path):
    todo = groups(PARAMS, [source], **{**CHOICE, "models": ["mf"]})
    todo = [group for group in todo if group.model in ("bias", "mf")]
    settings = Settings(trials=1, epochs=1)
    output = tmp_path / "results"

    assert run_cells(PARAMS, todo, settings, output, command="autorec benchmark", processes=1) == 2
    lines = read_lines(output / CELLS)
    assert [line["model"] for line in lines] == ["bias", "mf"]
    assert [sum(line["rows"]) for line in lines] == [1000, 1000]
    assert not any(line["whole"] for line in lines)
    assert all(0.1 < line["test"]["mse"] < 30 for line in lines)
    assert lines[1]["budget"] == {"epochs": 1, "patience": 1}
    start, end = read_lines(output / RUNS)
    assert start["versions"]["keras"]
    assert end["finished"] == 2

    assert run_cells(PARAMS, todo, settings, output, command="autorec benchmark", processes=1) == 0
    assert read_lines(output / CELLS) == lines
    assert made_by_other_code(lines, [start, end]) == 0
    assert made_by_other_code(lines, [{**start, "code": "another"}, end]) == 2


def test_only_cells_that_are_not_finished_are_left(source):
    (group,) = groups(
        PARAMS,
        [source],
        **{**CHOICE, "models": ["mf"], "tuners": ["random", "greedy"], "outside": False},
    )
    settings = Settings(trials=2)
    name = next(group.names())
    done = {**name, **settings.inside(PARAMS, group.space)}

    assert left(PARAMS, group, settings, {key(done)}).tuners == ("greedy",)
    assert left(PARAMS, group, Settings(trials=3), {key(done)}) == group
    assert left(PARAMS, group, settings, {key(done), key({**done, "tuner": "greedy"})}) is None
