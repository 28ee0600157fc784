"""DeepFM, DCN, AutoInt, DLRM and NeuMF are points of AutoRec's space: same weights and outputs."""

import keras_tuner
import numpy as np
import pytest
from block_models import draw_weights, weights_by_class

import autorec_core as ar
from autorec_core import zoo
from autorec_core.data.schema import Field, Schema
from autorec_core.interactors.hyper import HyperInteraction

CLICKS = Schema(
    task="ctr",
    label="click",
    categorical=tuple(Field(name, size) for name, size in (("site", 7), ("app", 5), ("ad", 6))),
    numeric=("price", "age"),
    user=None,
    item=None,
    label_range=(0.0, 1.0),
)
GENERATOR = np.random.default_rng(4)
CLICK_ROWS = {
    "categorical": GENERATOR.integers(0, 5, (9, 3)).astype("int32"),
    "numeric": GENERATOR.normal(size=(9, 2)).astype("float32"),
}
USERS, ITEMS = 6, 5
PAIRS = GENERATOR.integers(0, 5, (9, 2)).astype("int32")


def candidate(recommender, values):
    """Builds the model with these hyperparameters and the defaults of all others."""
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return recommender.resolve(hp).model()


def hyper(place, **values):
    return {f"hyper_interaction_{place}/{name}": value for name, value in values.items()}


def assert_same(known, found, inputs):
    """Checks that both have the same number of weights and, with equal weights, equal outputs."""
    assert found.count_params() == known.count_params()
    draw_weights(known)
    found_weights, known_weights = weights_by_class(found), weights_by_class(known)
    assert {k: len(v) for k, v in found_weights.items()} == {
        k: len(v) for k, v in known_weights.items()
    }
    for kind in known_weights:
        for layer, source in zip(of_class(found, kind), of_class(known, kind), strict=True):
            layer.set_weights(source.get_weights())
    np.testing.assert_array_equal(found(inputs), known(inputs))
    assert np.ptp(np.asarray(known(inputs))) > 0


def of_class(model, kind):
    """Returns the layers of one class that have weights, in the order of their creation."""
    found = [layer for layer in model.layers if type(layer).__name__ == kind and layer.weights]
    return sorted(
        found,
        key=lambda layer: int(
            ("0" + layer.name.rpartition("_")[2]) if layer.name[-1].isdigit() else "0"
        ),
    )


POINTS = {
    "deepfm": (
        {"fm_interaction_1/embedding_dim": 8, "mlp_interaction_1/units": 32},
        hyper(
            1,
            meta_interactor_num=2,
            interactor_type_0="FMInteraction",
            interactor_type_1="MLPInteraction",
            **{"fm_interaction_0/embedding_dim": 8, "mlp_interaction_1/units": 32},
        ),
    ),
    "dcn": (
        {"cross_net_interaction_1/num_layers": 3, "mlp_interaction_1/num_layers": 1},
        hyper(
            1,
            meta_interactor_num=2,
            interactor_type_0="CrossNetInteraction",
            interactor_type_1="MLPInteraction",
            **{"cross_net_interaction_0/num_layers": 3, "mlp_interaction_1/num_layers": 1},
        ),
    ),
    "autoint": (
        {"self_attention_interaction_1/num_heads": 3},
        hyper(
            1,
            meta_interactor_num=1,
            interactor_type_0="SelfAttentionInteraction",
            **{"self_attention_interaction_0/num_heads": 3},
        ),
    ),
}


@pytest.mark.parametrize("space", ["thesis", "extended"])
@pytest.mark.parametrize("name", POINTS)
def test_a_point_of_autorec_ctr(name, space):
    of_known, of_found = POINTS[name]
    known = candidate(zoo.build(name, CLICKS, space), of_known)
    found = candidate(zoo.build("autorec_ctr", CLICKS, space), of_found)
    assert_same(known, found, CLICK_ROWS)


def test_dlrm_is_a_point_of_two_hyper_interactions_behind_each_other():
    """The first makes the dot products and passes on a vector; the second is the top MLP."""
    parts = zoo.ExtendedParts(CLICKS, 4)
    first = HyperInteraction(branch_inputs=ar.choice("all", "1"))
    nodes = HyperInteraction()(first([*parts.sparse(), *parts.dense(output="mlp")]))
    autorec = ar.CTRRecommender(
        inputs=(parts.ids, parts.numbers),
        outputs=ar.CTRPredictionOptimizer()([nodes, *parts.linear]),
    )
    values = {
        **hyper(
            1,
            meta_interactor_num=2,
            interactor_type_0="ConcatenateInteraction",
            branch_inputs_0="1",
            interactor_type_1="PairwiseDotInteraction",
            branch_inputs_1="all",
        ),
        **hyper(2, meta_interactor_num=1, interactor_type_0="MLPInteraction"),
    }
    known = candidate(zoo.build("dlrm", CLICKS), {"embedding_dim": 4})
    assert_same(known, candidate(autorec, values), CLICK_ROWS)


def test_neumf_is_a_point_of_autorec_rp_with_separate_embeddings_for_towers():
    """The thesis' chain: two user and two item mappers, one HyperInteraction, the task's head."""
    ids = ar.Input(shape=[2], name="categorical")
    mappers = [
        ar.LatentFactorMapper(feat_column_id=column, id_num=number, embedding_dim=64, l2=0.0)(ids)
        for column, number in ((0, USERS), (1, ITEMS), (0, USERS), (1, ITEMS))
    ]
    towers = HyperInteraction.thesis(branch_inputs=ar.choice("all", "0,1", "2,3"))
    autorec = ar.RPRecommender(inputs=ids, outputs=ar.RatingPredictionOptimizer()(towers(mappers)))
    values = hyper(
        1,
        meta_interactor_num=2,
        interactor_type_0="ElementwiseInteraction",
        branch_inputs_0="0,1",
        interactor_type_1="MLPInteraction",
        branch_inputs_1="2,3",
        **{"elementwise_interaction_0/operation": "multiply", "mlp_interaction_1/units": 16},
    )
    ratings = Schema(
        task="rating",
        label="rating",
        categorical=(Field("user", USERS), Field("item", ITEMS)),
        numeric=(),
        user="user",
        item="item",
        label_range=(1.0, 5.0),
    )
    known = candidate(zoo.build("neumf", ratings, "thesis"), {"mlp_interaction_1/units": 16})
    assert_same(known, candidate(autorec, values), PAIRS)
