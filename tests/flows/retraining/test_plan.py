"""The plan of a training: a file that DVC tracks."""

from __future__ import annotations

import pytest

from autorec_core.errors import DataError
from flows.retraining.plan import Plan, changes, deciding

PARAMS = {
    "seed": 1,
    "split": {},
    "preprocess": {},
    "model": {"name": "auto"},
    "search": {"tuner": "random", "workers": 2},
    "train": {},
    "serve": {"port": 1},
    "datasets": {"x": {"label": "rating", "title": "X"}},
}
DECIDES = deciding(PARAMS, "x")


def test_a_plan_comes_back_as_it_was_written(tmp_path):
    schedule = {"rates": [0.1, 0.01], "parts": 1, "batch_size": 64, "constant": False}
    settings = ({"a": 1.5, "b": "adam"},)
    plan = Plan("settings", "auto", "Because.", settings, 3, DECIDES, (schedule,))
    plan.save(tmp_path)

    assert Plan.load(tmp_path) == plan
    assert Plan.load(tmp_path / "elsewhere") is None


def test_a_damaged_plan_is_named(tmp_path):
    (tmp_path / "plan.json").write_text('{"mode": ')

    with pytest.raises(DataError, match=r"plan\.json is not a plan of a training"):
        Plan.load(tmp_path)


def test_only_parameters_that_decide_a_search_are_compared():
    other = {
        **PARAMS,
        "serve": {"port": 2},
        "search": {"tuner": "greedy", "workers": 7},
        "datasets": {"x": {"label": "stars", "title": "Y"}},
    }

    assert changes(DECIDES, deciding(other, "x")) == ["search.tuner", "dataset.label"]


@pytest.mark.parametrize(
    ("mode", "asked", "now", "same", "fits"),
    [
        ("settings", "auto", "auto", True, True),
        ("settings", "auto", "auto", False, False),  # a changed search wants to be seen
        ("settings", "auto", "search", True, False),
        ("search", "auto", "auto", False, True),
        ("search", "settings", "settings", True, True),  # there was no champion
        ("search", "auto", "settings", True, False),
        ("settings", "settings", "settings", False, True),
    ],
)
def test_a_plan_stays_while_it_is_what_params_yaml_asks_for(mode, asked, now, same, fits):
    plan = Plan(mode, asked, "", decides=DECIDES)

    assert plan.fits(now, DECIDES if same else {}) is fits
