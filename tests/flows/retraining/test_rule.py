"""By which rule a run chooses between a search and the champion's settings."""

from __future__ import annotations

import dataclasses

import pytest

from flows.retraining.rule import Known, choose

QUIET = Known(
    champion=4,
    settings=[{"learning_rate": 0.01}],
    schedules=[{"rates": [0.01], "parts": 1, "batch_size": 64}],
    drift={"item_id": 0.2},
    allowed_drift=0.25,
    loss="mse",
    last=6,
    last_loss=0.80,
    loss_limit=0.82,
    since_search=2,
    rows=1500,
    rows_before=1000,
)


def chosen(asked="auto", every=10, **known):
    return choose(asked, dataclasses.replace(QUIET, **known), every)


def test_without_news_the_settings_of_the_champion_are_trained_again():
    assert chosen() == (
        "settings",
        "Nothing calls for a search since version 4, run 3 of 10 since the last search.",
    )


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"champion": None}, "There is no champion yet"),
        ({"settings": None}, "Version 4, the champion, has no record of its settings"),
        ({"schedules": None}, "Version 4, the champion, has no record of how long it was trained"),
        ({"rows": 2001}, "raw rows has changed from 1,000 to 2,001 since the last search"),
        ({"rows": 499}, "raw rows has changed from 1,000 to 499 since the last search"),
        ({"changed": ["search.tuner"]}, "Parameters have changed since the last run: search.tuner"),
        ({"other_code": True}, "AutoRec's code has changed"),
        ({"wanted": "Live rows have drifted."}, "Live rows have drifted."),
        ({"drift": {"item_id": 0.26, "user_id": 0.1}}, "their PSI beyond chance: item_id 0.26. "),
        ({"last_loss": 0.83}, "Version 6, trained without a search, has a test MSE of 0.8300"),
        ({"since_search": 9}, "One run in 10 is a search"),
    ],
)
def test_a_search_has_a_reason(known, reason):
    mode, said = chosen(**known)

    assert mode == "search"
    assert reason in said


def test_what_params_yaml_asks_for_needs_no_rule():
    assert chosen("search")[0] == "search"
    assert chosen("settings", drift={"item_id": 9.0}, since_search=50)[0] == "settings"
    assert chosen("settings", champion=None)[0] == "search"  # there is nothing to train again


def test_limits_that_are_off_call_for_nothing():
    assert chosen(every=None, since_search=500)[0] == "settings"
    assert chosen(allowed_drift=None, drift={"item_id": 9.0})[0] == "settings"
