"""Known candidates, trained again on other rows without a search."""

import numpy as np
import pytest
from small_searches import Notes, make_recommender, make_rows

import autorec_core
from autorec_core.errors import SearchError
from autorec_core.search import Proven, finish, train_again
from autorec_core.training import Budget, Schedule, predict

BUDGET = Budget(epochs=2, patience=1)
TRAIN, VALID = make_rows(400, seed=1), make_rows(100, seed=2)
RATES = Schedule(rates=(0.01, 0.01), parts=1, batch_size=64)
VALUES = {
    "mlp_interaction_1/units": 8,
    "mlp_interaction_1/dropout_rate": 0.5,
    "learning_rate": 0.01,
}


def again(proven, rows=(TRAIN, VALID), **settings):
    return train_again(make_recommender(), proven, rows, budget=BUDGET, seed=4, **settings)


@pytest.fixture(scope="module")
def known():
    return [Proven(VALUES, RATES), Proven({**VALUES, "mlp_interaction_1/units": 4}, RATES)]


@pytest.fixture(scope="module")
def retrained(known):
    return again(known)


def test_on_the_same_rows_the_model_of_the_search_comes_out(search):
    result = search()
    members = result.leaderboard[:2]
    made = finish(result, members, TRAIN, VALID, budget=BUDGET, seed=4).model
    found = again([Proven.of(trial) for trial in members])

    np.testing.assert_array_equal(
        predict(found.final.model, VALID.inputs), predict(made, VALID.inputs)
    )
    assert found.winner.get_config() == result.candidate(members[0]).get_config()


def test_its_settings_are_those_of_the_search_even_where_some_have_no_effect(search):
    # With two epochs the learning rate never decays, and 400 rows are less than a batch.
    choices = {"decay": autorec_core.choice(0.1, 0.3), "batch_size": autorec_core.choice(64, 1024)}
    result = search(make_recommender(**choices))
    found = train_again(
        make_recommender(**choices),
        [Proven.of(result.best)],
        [make_rows(500, seed=3), VALID],
        budget=BUDGET,
        seed=4,
    )

    assert dict(found.trials[0].hyperparameters) == dict(result.best.hyperparameters)


def test_each_candidate_is_trained_once_as_long_as_before_and_not_judged(known):
    notes = Notes()
    found = again(known, listener=notes)

    assert notes.ended == [0, 1]
    assert [(t.status, t.score, t.spent) for t in found.trials] == [("refitted", None, 2.0)] * 2
    assert found.final.members == found.trials
    assert found.final.refitted


def test_it_is_the_mean_of_all_candidates(known, retrained):
    alone = [again([one]).final.model for one in known]
    first, second = (predict(model, VALID.inputs) for model in alone)

    mean = predict(retrained.final.model, VALID.inputs)
    np.testing.assert_allclose(mean, (first + second) / 2, rtol=1e-5)


def test_a_candidate_that_occurs_twice_gets_two_seeds(known):
    twice = again([known[0], known[0]])
    alone = again([known[0]])

    assert len(twice.trials) == 1
    assert [trial.number for trial in twice.final.members] == [0, 0]
    ours, its = (predict(found.final.model, VALID.inputs) for found in (twice, alone))
    assert not np.array_equal(ours, its)


def test_a_candidate_that_cannot_be_trained_is_left_out(known):
    diverging = Proven(VALUES, Schedule(rates=(1e30,), parts=1, batch_size=64))
    found = again([diverging, known[1]])

    assert [trial.status for trial in found.trials] == ["failed", "refitted"]
    assert found.final.members == found.trials[1:]
    with pytest.raises(SearchError, match="None of the known settings can be trained again: "):
        again([diverging])


def test_what_the_space_does_not_have_becomes_the_nearest_or_the_default():
    values = {"mlp_interaction_1/units": 9, "learning_rate": 0.011, "gone": "x"}
    found = again([Proven(values, RATES)])

    # How to train is known from the schedule, so those values stay.
    assert dict(found.trials[0].hyperparameters) == {**VALUES, "learning_rate": 0.011}


def test_a_batch_size_of_a_search_on_few_rows_stays():
    sizes = autorec_core.choice(64, 256)
    space = make_recommender(batch_size=sizes)
    values = {**VALUES, "batch_size": 50}
    found = train_again(space, [Proven(values, RATES)], [TRAIN], budget=BUDGET, seed=4)

    assert found.trials[0].hyperparameters["batch_size"] == 50


def test_candidates_that_make_a_row_too_slow_are_left_out(known):
    found = again(known, max_latency_ms=1e-9)

    assert [trial.number for trial in found.final.members] == [0]
