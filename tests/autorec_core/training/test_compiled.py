"""A compiled model that stays in memory trains as a new one does, to the bit."""

import dataclasses

import keras
import pytest
from test_checkpoint import BUDGET, ITEMS, RECIPE, TRAIN, USERS, VALID, assert_same, recommender

import autorec_core
from autorec_core.training import (
    Budget,
    CompiledModels,
    FailedTrial,
    Limits,
    Task,
    run_trial,
    train,
)
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


def candidates(**numbers):
    """A candidate of every mapper, with these numbers in it."""
    ids = autorec_core.Input(shape=[2])
    sizes = (USERS, ITEMS)
    l2 = numbers.get("l2", 1.0)
    history = autorec_core.HistoryMapper(
        key_column=0, value_column=1, key_num=USERS, value_num=ITEMS, embedding_dim=4, l2=l2
    )(ids)
    sparse = autorec_core.SparseFeatureMapper(vocabulary_sizes=sizes, embedding_dim=4, l2=l2)(ids)
    rates = autorec_core.RateMapper(vocabulary_sizes=sizes, prior=numbers.get("prior", 10.0))(ids)
    mlp = autorec_core.MLPInteraction(units=8, num_layers=1, use_batch_norm=True, dropout_rate=0.5)
    bias = autorec_core.BiasMapper(vocabulary_sizes=sizes, l2=l2)(ids)
    recipe = {k: v for k, v in numbers.items() if k not in ("l2", "prior")}
    return autorec_core.CTRRecommender(
        inputs=ids,
        outputs=autorec_core.CTRPredictionOptimizer()([mlp([history, sparse, rates]), bias]),
        training=dataclasses.replace(RECIPE, **recipe),
    )


@pytest.mark.parametrize(
    "numbers",
    [{"learning_rate": 0.01, "decay": 0.1, "batch_size": 100}, {"l2": 30.0, "prior": 3.0}],
    ids=str,
)
@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_a_candidate_with_other_numbers_trains_as_if_it_were_alone(numbers, optimizer, built):
    models = CompiledModels()
    one, other = candidates(optimizer=optimizer), candidates(**numbers, optimizer=optimizer)
    budget = Budget(epochs=3, patience=2)
    for candidate in (one, other, one):
        with models.lent(candidate, TRAIN, 5) as compiled:
            again = train(candidate, TRAIN, VALID, budget=budget, seed=5, compiled=compiled)
            alone = train(candidate, TRAIN, VALID, budget=budget, seed=5)
            assert_same(again, alone)
            config, as_alone = (str(made.model.get_config()["layers"]) for made in (again, alone))
            assert ("30.0" in config) == ("30.0" in as_alone)
    assert len(models) == 1
    assert compiled.reused
    assert one.get_config() != other.get_config()


def two_streams():
    """A candidate with vectors that several blocks use, so that their gradients are added up."""
    ids = autorec_core.Input(shape=[2])

    def vectors(column):
        return autorec_core.LatentFactorMapper(
            feat_column_id=column, id_num=(USERS, ITEMS)[column], embedding_dim=16, l2=1.0
        )(ids)

    def history(key, width):
        sizes = {"key_num": (USERS, ITEMS)[key], "value_num": (ITEMS, USERS)[key]}
        return autorec_core.HistoryMapper(
            key_column=key, value_column=1 - key, embedding_dim=width, l2=1.0, **sizes
        )(ids)

    user = vectors(0)
    item = autorec_core.ElementwiseInteraction(operation="sum")([vectors(1), history(1, 16)])
    streams = autorec_core.TwoStreamInteraction(units=8, num_layers=2, dropout_rate=0, num_heads=2)
    product = autorec_core.InnerProductInteraction()
    scores = [product([user, item]), streams([user, item]), history(0, 1), history(1, 1)]
    return autorec_core.CTRRecommender(
        inputs=ids, outputs=autorec_core.CTRPredictionOptimizer()(scores), training=RECIPE
    )


def test_a_candidate_trains_the_same_whatever_was_built_before():
    keras.backend.clear_session()
    budget = Budget(epochs=2, patience=2)
    first, later = (train(two_streams(), TRAIN, VALID, budget=budget, seed=5) for _ in range(2))
    assert_same(later, first)


def test_a_number_that_becomes_zero_is_compiled_again():
    models = CompiledModels()
    for candidate in (candidates(), candidates(l2=0.0)):
        with models.lent(candidate, TRAIN, 5) as compiled:
            assert not compiled.reused


def test_structure_optimizer_and_seed_decide_what_is_built(built):
    models = CompiledModels()
    for candidate, seed in (
        (recommender(), 5),
        (recommender(optimizer="adagrad"), 5),
        (recommender(), 6),
    ):
        with models.lent(candidate, TRAIN, seed) as compiled:
            assert not compiled.reused
    assert len(built) == len(models) == 3


def test_the_least_promising_models_are_dropped_first():
    models = CompiledModels(most=2)
    for seed, standing in ((16, 0.3), (32, 0.9), (64, 0.5)):
        with models.lent(recommender(), TRAIN, seed) as compiled:
            compiled.standing = standing
    for seed, reused in ((16, True), (64, True), (32, False)):
        with models.lent(recommender(), TRAIN, seed) as compiled:
            assert compiled.reused == reused
            compiled.standing = 0.1
    small = CompiledModels(most_bytes=1.5 * compiled.size)
    for seed in (16, 32):
        with small.lent(recommender(), TRAIN, seed) as compiled:
            compiled.standing = -seed
    assert len(small) == 1


def test_a_model_whose_training_failed_is_not_kept():
    models = CompiledModels()
    with pytest.raises(FailedTrial), models.lent(recommender(), TRAIN, 5):
        raise FailedTrial("the training loss became nan")
    assert len(models) == 0
