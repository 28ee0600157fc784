"""What a run learns from the registry, the data checks and the watch before it trains."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from small_ratings import DATASET

from flows.config import Params
from flows.registry.lineage import running_code
from flows.registry.versions import list_versions
from flows.retraining.evidence import DECIDES, MODE, SETTINGS, digest, learn, plan_training
from flows.retraining.plan import deciding
from flows.workspace import Places

pytestmark = pytest.mark.slow

BEST, SECOND, THIRD = ({"learning_rate": rate} for rate in (0.01, 0.003, 0.001))


def schedule(epochs: int) -> dict[str, Any]:
    return {"rates": [0.01] * epochs, "parts": 1, "batch_size": 64, "constant": False}


def tally(counts: list[int]) -> dict[str, Any]:
    column = {"missing": 0, "counts": counts, "edges": [2.0]}
    return {"hash": "multiplied", "rows": sum(counts), "columns": {"rating": column}}


@pytest.fixture
def places(registry, small_params) -> Places:
    """A champion found by a search, and a newer version that was trained with its settings."""
    params = Params.load(small_params)
    decides = digest(deciding(params.model_dump(mode="json"), DATASET))
    tags = {DECIDES: decides, "code.sha256": running_code(), SETTINGS: json.dumps(BEST)}
    document = {
        "winner": {
            "candidates": [BEST, SECOND, THIRD],
            "schedules": [schedule(4), schedule(6), schedule(3)],
            "searched_epochs": 41.0,
        },
        "intervals": {"loss": "mse", "losses": {"model": {"high": 0.2}}},
        "checks": {"raw": {"tally": tally([5000, 5000])}},
    }
    champion = registry.register(
        registry.models.good, lineage=document, **tags, **{MODE: "search", "promoted.at": "now"}
    )
    registry.point("champion", champion)
    registry.register(registry.models.bad, **tags, **{MODE: "settings"})
    places = Places(DATASET, registry.root)
    places.checks.mkdir(parents=True, exist_ok=True)
    (places.checks / "raw.json").write_text(json.dumps({"tally": tally([5100, 5000])}))
    return places


def learned(places: Places, small_params):
    versions = list_versions(DATASET, places.root)
    return versions, learn(Params.load(small_params), places, versions)


def test_a_quiet_night_trains_the_settings_of_the_champion(places, small_params):
    versions, known = learned(places, small_params)
    plan = plan_training(Params.load(small_params), places, unchanged=False)

    assert known.champion == versions[1].number
    assert (known.settings, known.changed, known.other_code) == ([BEST, SECOND], [], False)
    assert (known.since_search, known.last, known.last_loss) == (1, versions[0].number, 0.125)
    assert known.drift == {"rating": 0.0}
    assert (plan.mode, plan.candidates) == ("settings", (BEST, SECOND))
    assert (known.rows_before, known.rows) == (10_000, 10_100)


def test_a_quiet_night_trains_at_most_a_quarter_of_the_epochs_of_the_search(places, small_params):
    plan = plan_training(Params.load(small_params), places, unchanged=False)

    # Ten epochs of two candidates are within a quarter of 41; those of the third are not.
    assert [len(one["rates"]) for one in plan.schedules] == [4, 6]


def test_a_number_of_models_in_the_parameters_is_kept(places, small_params):
    params = Params.load(small_params)
    train = params.train.model_copy(update={"ensemble": 3})
    versions = list_versions(DATASET, places.root)

    known = learn(params.model_copy(update={"train": train}), places, versions)

    assert known.settings == [BEST, SECOND, THIRD]


def test_a_plan_stays_while_nothing_has_changed(places, small_params):
    params = Params.load(small_params)
    plan = plan_training(params, places, unchanged=False)
    (places.checks / "raw.json").write_text(json.dumps({"tally": tally([9000, 1000])}))

    assert plan_training(params, places, unchanged=True) == plan
    drifted = plan_training(params, places, unchanged=False)
    assert (drifted.mode, "rating" in drifted.reason) == ("search", True)
    assert drifted.candidates == (BEST, SECOND)  # tried first


def test_the_watch_asks_for_a_search_until_there_was_one(places, small_params):
    versions, _ = learned(places, small_params)
    state = {"version": versions[1].number, "wanted": "Live rows differ.", "at": time.time()}
    places.watch.mkdir(parents=True, exist_ok=True)
    (places.watch / "state.json").write_text(json.dumps(state))
    wanted = learned(places, small_params)[1].wanted
    (places.watch / "state.json").write_text(json.dumps({**state, "at": 1.0}))

    assert wanted == "Live rows differ."
    assert learned(places, small_params)[1].wanted is None
