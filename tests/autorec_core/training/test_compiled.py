"""A compiled model that stays in memory trains as a new one does, to the bit."""

import pytest
from test_checkpoint import BUDGET, TRAIN, VALID, assert_same, recommender

from autorec_core.training import CompiledModels, FailedTrial, Limits, Task, run_trial, train
from autorec_core.training import compiled as module


def task(until=None, checkpoint=None, **recipe):
    return Task(
        number=0,
        recommender=recommender(**recipe).get_config(),
        train=TRAIN,
        valid=VALID,
        budget=BUDGET,
        objective="val_ce",
        seed=5,
        limits=Limits(until=until),
        checkpoint=checkpoint,
    )


def without_seconds(outcome):
    curve = [{name: v for name, v in row.items() if name != "seconds"} for row in outcome.curve]
    return outcome.score, outcome.best_step, outcome.metrics, outcome.schedule, curve


@pytest.fixture
def built(monkeypatch):
    """Counts the models that are built."""
    seen = []

    def build(*arguments):
        seen.append(arguments)
        return original(*arguments)

    original = module.build_model
    monkeypatch.setattr(module, "build_model", build)
    return seen


def test_a_paused_trial_goes_on_without_being_built_again(built):
    whole = run_trial(task())
    models = CompiledModels()
    paused = run_trial(task(until=2), models=models)
    other = run_trial(task(until=3, learning_rate=0.01), models=models)
    on = run_trial(task(checkpoint=paused.checkpoint), models=models)
    assert len(built) == 2  # one for `whole`, one for all the others
    assert without_seconds(on) == without_seconds(whole)
    assert (paused.reused, other.reused, on.reused) == (False, True, True)


@pytest.mark.parametrize(
    "recipe", [{"learning_rate": 0.01, "decay": 0.1}, {"optimizer": "adagrad"}], ids=str
)
def test_a_candidate_with_another_rate_trains_as_if_it_were_alone(recipe):
    models = CompiledModels()
    kept = {**recipe, "learning_rate": 0.05, "decay": 0.3}
    for candidate in (recommender(**kept), recommender(**recipe), recommender(**kept)):
        with models.lent(candidate, TRAIN, 5) as compiled:
            again = train(candidate, TRAIN, VALID, budget=BUDGET, seed=5, compiled=compiled)
            assert_same(again, train(candidate, TRAIN, VALID, budget=BUDGET, seed=5))
    assert len(models) == 1
    assert compiled.reused


def test_structure_batch_size_and_seed_decide_what_is_built(built):
    models = CompiledModels()
    for candidate, seed in (
        (recommender(), 5),
        (recommender(batch_size=32), 5),
        (recommender(), 6),
    ):
        with models.lent(candidate, TRAIN, seed) as compiled:
            assert not compiled.reused
    assert len(built) == len(models) == 3


def test_the_least_promising_models_are_dropped_first():
    models = CompiledModels(most=2)
    for size, standing in ((16, 0.3), (32, 0.9), (64, 0.5)):
        with models.lent(recommender(batch_size=size), TRAIN, 5) as compiled:
            compiled.standing = standing
    for size, reused in ((16, True), (64, True), (32, False)):
        with models.lent(recommender(batch_size=size), TRAIN, 5) as compiled:
            assert compiled.reused == reused
            compiled.standing = 0.1
    small = CompiledModels(most_bytes=1.5 * compiled.size)
    for size in (16, 32):
        with small.lent(recommender(batch_size=size), TRAIN, 5) as compiled:
            compiled.standing = -size
    assert len(small) == 1


def test_a_model_whose_training_failed_is_not_kept():
    models = CompiledModels()
    with pytest.raises(FailedTrial), models.lent(recommender(), TRAIN, 5):
        raise FailedTrial("the training loss became nan")
    assert len(models) == 0
