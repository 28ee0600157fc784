"""Parts that a search may leave out: the model is built as if they had never been in the chain."""

import keras_tuner
import numpy as np
import pytest

import autorec_core
from autorec_core import zoo
from autorec_core.data.schema import Field, Schema
from autorec_core.optional import optional
from autorec_core.recommender import Recommender
from autorec_core.search.oracles.points import Points
from autorec_core.search.space import identity, search_space
from autorec_core.training import Budget

SIZES = (4, 5)
BUDGET = Budget(epochs=3, patience=2)


def values(**kept):
    hp = keras_tuner.HyperParameters()
    hp.values = {f"keep_{part}": there for part, there in kept.items()}
    return hp


def chain(leaves_out=False):
    """Biases, and click rates behind a linear layer; both may be left out."""
    ids = autorec_core.Input(shape=[2])
    biases = autorec_core.BiasMapper(vocabulary_sizes=SIZES, l2=1.0)(ids)
    rates = autorec_core.RateMapper(vocabulary_sizes=SIZES, prior=10.0)(ids)
    weighted = autorec_core.LinearMapper()(rates)
    nodes = [biases] if leaves_out else [optional(biases, "biases"), optional(weighted, "rates")]
    return autorec_core.CTRRecommender(
        inputs=ids,
        outputs=autorec_core.CTRPredictionOptimizer()(nodes),
        training=autorec_core.Training.thesis(),
    )


def test_what_is_left_out_leaves_no_trace():
    left = chain().resolve(values(rates=False, biases=True))
    assert left.get_config() == chain(leaves_out=True).resolve(values()).get_config()
    assert left.model().count_params() == chain(leaves_out=True).model().count_params()


def test_all_parts_are_there_by_default_and_if_none_would_be_left():
    default = chain().resolve(keras_tuner.HyperParameters())
    assert {*default.blocks()} == {
        "bias_mapper_1",
        "rate_mapper_1",
        "linear_mapper_1",
        "ctr_prediction_optimizer_1",
    }
    none = chain().resolve(values(rates=False, biases=False))
    assert none.get_config() == default.get_config()


def test_a_space_with_optional_parts_can_be_stored_and_says_that_it_is_open():
    space = chain()
    again = Recommender.from_config(space.get_config())
    assert again.get_config() == space.get_config()
    assert space.undecided() == ["bias_mapper_1/keep_biases", "linear_mapper_1/keep_rates"]


def schema(task):
    names = ("user", "item", "place")
    return Schema(
        task=task,
        label="label",
        categorical=tuple(Field(name, 4 + place) for place, name in enumerate(names)),
        numeric=("price",),
        user="user",
        item="item",
        label_range=(1.0, 5.0) if task == "rating" else (0.0, 1.0),
    )


PARTS = {
    "rating": {
        "user_history",
        "item_history",
        "history_scores",
        "autoencoder",
        "biases",
        "factors",
    },
    "ctr": {"biases", "click_rates", "branches"},
}


@pytest.mark.parametrize("task", PARTS)
class TestExtendedSpace:
    def test_each_part_can_be_left_out_and_is_there_by_default(self, task):
        recommender = zoo.build("auto", schema(task))
        space = search_space(recommender)
        default = Points(space).defaults()
        parts = {name for name in default if name.startswith("keep_")}
        assert parts == {f"keep_{part}" for part in PARTS[task]}
        assert all(default[name] is True for name in parts)
        size = len(recommender.resolve(space).model().layers)
        for name in parts:
            hp = keras_tuner.HyperParameters()
            hp.values = {**default, name: False}
            assert len(recommender.resolve(hp).model().layers) < size

    def test_random_points_leave_a_part_out_in_one_of_ten(self, task):
        points = Points(search_space(zoo.build("auto", schema(task))))
        random = np.random.default_rng(0)
        drawn = [points.sample(random)["keep_biases"] for _ in range(500)]
        assert 0.85 < np.mean(drawn) < 0.95


def test_settings_of_a_part_that_is_left_out_decide_nothing():
    recommender = zoo.build("auto", schema("ctr"))
    default = Points(search_space(recommender)).defaults()
    without = {**default, "keep_click_rates": False}
    one, other = (
        identity(recommender, {**without, "rate_prior": prior}, 1000, BUDGET)
        for prior in (3.0, 30.0)
    )
    assert one == other != identity(recommender, default, 1000, BUDGET)
