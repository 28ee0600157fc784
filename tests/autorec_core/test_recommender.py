"""Chains of blocks: names of blocks, open choices, errors and configurations."""

import json

import keras
import keras_tuner
import numpy as np
import pytest
from block_models import outputs_in_a_fresh_process

import autorec_core as ar
from autorec_core import zoo
from autorec_core.data.schema import Field, Schema
from autorec_core.errors import BlockError
from autorec_core.recommender import Recommender, adapt

IDS = np.array([[0, 0], [1, 2], [3, 1]], "int32")
SCHEMA = Schema(
    task="rating",
    label="rating",
    categorical=(Field("user", 5), Field("item", 4)),
    numeric=("age",),
    user="user",
    item="item",
    label_range=(1.0, 5.0),
)


def pair(ids):
    return [
        ar.LatentFactorMapper(feat_column_id=column, id_num=5, embedding_dim=4, l2=0.0)(ids)
        for column in (0, 1)
    ]


def rp(outputs, ids):
    return ar.RPRecommender(inputs=ids, outputs=ar.RatingPredictionOptimizer()(outputs))


def test_names_follow_the_place_in_the_chain_not_a_counter():
    def names():
        ids = ar.Input(shape=[2])
        first = ar.MLPInteraction()(pair(ids))
        return list(rp([ar.MLPInteraction()(first)], ids).blocks())

    assert names() == names()
    assert names() == [
        "latent_factor_mapper_1",
        "latent_factor_mapper_2",
        "mlp_interaction_1",
        "mlp_interaction_2",
        "rating_prediction_optimizer_1",
    ]


def test_a_recommender_with_open_choices_cannot_be_built():
    ids = ar.Input(shape=[2])
    recommender = rp(ar.MLPInteraction(units=8)(pair(ids)), ids)
    assert "mlp_interaction_1/num_layers" in recommender.undecided()
    assert "mlp_interaction_1/units" not in recommender.undecided()
    with pytest.raises(BlockError, match="still has open choices"):
        recommender.model()


def test_a_built_candidate_is_an_ordinary_compiled_keras_model():
    ids = ar.Input(shape=[2])
    model = rp(ar.InnerProductInteraction()(pair(ids)), ids).build(keras_tuner.HyperParameters())
    assert isinstance(model, keras.Model)
    loss, mse = model.evaluate(IDS, np.ones(3), verbose=0)
    assert loss == pytest.approx(mse)


def test_an_error_names_the_block_by_its_place():
    ids = ar.Input(shape=[2])
    recommender = rp(ar.FMInteraction(embedding_dim=0)(ids), ids)
    with pytest.raises(BlockError, match=r"^fm_interaction_1: .* Put a mapper before it"):
        recommender.build(keras_tuner.HyperParameters())


def test_a_chain_ends_in_its_task_s_optimizer_and_begins_at_its_inputs():
    ids, other = ar.Input(shape=[2]), ar.Input(shape=[2], name="other")
    with pytest.raises(BlockError, match="RPRecommender must end in a RatingPredictionOptimizer"):
        ar.RPRecommender(inputs=ids, outputs=ar.CTRPredictionOptimizer()(pair(ids)))
    with pytest.raises(BlockError, match="starts at inputs that are missing from `inputs`: other"):
        ar.RPRecommender(inputs=ids, outputs=ar.RatingPredictionOptimizer()(pair(other)))


@pytest.mark.parametrize("space", ["thesis", "extended"])
@pytest.mark.parametrize("name", zoo.MODELS)
def test_every_ready_model_survives_its_configuration(name, space):
    recommender = zoo.build(name, SCHEMA, space)
    again = Recommender.from_config(json.loads(json.dumps(recommender.get_config())))
    assert again.get_config() == recommender.get_config()
    assert str(again) == str(recommender)
    assert again.undecided() == recommender.undecided()


def test_every_ready_model_loads_elsewhere_and_gives_the_same_to_the_bit(tmp_path):
    rows = {"categorical": IDS, "numeric": np.array([[1.0], [-2.0], [0.0]], "float32")}
    models = {}
    for name in zoo.MODELS:
        model = zoo.build(name, SCHEMA).build(keras_tuner.HyperParameters())
        adapt(model, rows, np.array([1, 3, 5], "float32"))
        used = [rows[tensor.name] for tensor in model.inputs]
        inner = keras.Model([*model.inputs], [model.output])
        models[name] = (inner, used)

    for here, there in outputs_in_a_fresh_process(tmp_path, models).values():
        np.testing.assert_array_equal(here, there)
