"""HyperInteraction: its hyperparameters, when they are active, and the model it builds."""

import keras
import keras_tuner
import numpy as np
import pytest
from block_models import model_of, round_trip

import autorec_core as ar
from autorec_core.errors import BlockError
from autorec_core.interactors.hyper import THESIS_TYPES, HyperInteraction, searchable
from autorec_core.interactors.parallel import Parallel
from autorec_core.search.space import defaults, search_space

VECTORS = [np.random.default_rng(place).normal(size=(4, 3)).astype("float32") for place in range(4)]


def chain(*hypers):
    """Makes a recommender with a chain of HyperInteractions."""
    ids = ar.Input(shape=[2])
    nodes = [
        ar.LatentFactorMapper(feat_column_id=column, id_num=5, embedding_dim=4, l2=0.0)(ids)
        for column in (0, 1)
    ]
    for hyper in hypers:
        nodes = hyper(nodes)
    return ar.RPRecommender(inputs=ids, outputs=ar.RatingPredictionOptimizer()(nodes))


def live(recommender, **values):
    """Returns the names of the hyperparameters that are active with these values."""
    space = search_space(recommender)
    values = {f"hyper_interaction_1/{name}": value for name, value in values.items()}
    known = {hyperparameter.name for hyperparameter in space.space}
    assert values.keys() <= known
    hp = keras_tuner.HyperParameters()
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            name = hyperparameter.name
            hp.values[name] = values.get(name, hyperparameter.default)
    return {name for name in hp.values if "/" in name}, hp


class TestWhatIsAsked:
    def test_hyperparameters_live_only_with_their_branch(self):
        hyper = HyperInteraction(
            meta_interactor_num=ar.choice(1, 2, 3),
            interactor_type=ar.choice("ConcatenateInteraction", "FMInteraction"),
        )
        top = "hyper_interaction_1"
        one, _ = live(chain(hyper), meta_interactor_num=1)
        assert one == {f"{top}/meta_interactor_num", f"{top}/interactor_type_0"}
        two, _ = live(chain(hyper), meta_interactor_num=2, interactor_type_1="FMInteraction")
        assert two - one == {
            f"{top}/interactor_type_1",
            f"{top}/fm_interaction_1/embedding_dim",
        }

    def test_a_name_means_the_same_place_in_every_build(self):
        recommender = chain(HyperInteraction(), HyperInteraction())
        first, again = search_space(recommender), search_space(recommender)
        names = [hyperparameter.name for hyperparameter in first.space]
        assert names == [hyperparameter.name for hyperparameter in again.space]
        assert len(names) == len(set(names))
        for hyper in (1, 2):
            for branch in range(6):
                assert f"hyper_interaction_{hyper}/interactor_type_{branch}" in names
                assert f"hyper_interaction_{hyper}/mlp_interaction_{branch}/units" in names

    def test_a_fixed_field_is_not_searched(self):
        mlp = ar.MLPInteraction(dropout_rate=0.0)
        attention = ar.SelfAttentionInteraction(use_residual=False)
        names = [
            hyperparameter.name
            for hyperparameter in search_space(
                chain(HyperInteraction(interactors=(mlp, attention)))
            ).space
        ]
        assert any(name.endswith("mlp_interaction_0/units") for name in names)
        assert any(name.endswith("self_attention_interaction_0/num_heads") for name in names)
        assert not any(name.endswith(("dropout_rate", "use_residual")) for name in names)

    def test_the_thesis_space_is_the_thesis(self):
        space = search_space(chain(HyperInteraction.thesis()))
        by_name = {hyperparameter.name: hyperparameter for hyperparameter in space.space}
        top = "hyper_interaction_1"
        number = by_name[f"{top}/meta_interactor_num"]
        assert (number.values, number.default) == ([1, 2, 3, 4, 5, 6], 3)
        assert by_name[f"{top}/interactor_type_5"].values == list(THESIS_TYPES)
        assert by_name[f"{top}/interactor_type_0"].default == "InnerProductInteraction"
        expected = {
            "elementwise_interaction_0/operation": (
                ["sum", "average", "multiply", "max", "min"],
                "average",
            ),
            "mlp_interaction_0/units": ([16, 32, 64, 128, 256, 512, 1024], 32),
            "mlp_interaction_0/num_layers": ([1, 2, 3], 2),
            "fm_interaction_0/embedding_dim": ([4, 8, 16], 8),
            "cross_net_interaction_0/num_layers": ([1, 2, 3, 4], 1),
            "self_attention_interaction_0/embedding_dim": ([4, 8, 16], 8),
            "self_attention_interaction_0/attention_dim": ([4, 8, 16], 8),
            "self_attention_interaction_0/num_heads": ([1, 2, 3, 4], 2),
        }
        for name, (values, default) in expected.items():
            assert (by_name[f"{top}/{name}"].values, by_name[f"{top}/{name}"].default) == (
                values,
                default,
            )
        first_branch = {
            name.removeprefix(f"{top}/") for name in by_name if "_0/" in name or name.endswith("_0")
        }
        assert first_branch - set(expected) == {
            "interactor_type_0",
            "mlp_interaction_0/use_batch_norm",
            "mlp_interaction_0/dropout_rate",
            "self_attention_interaction_0/use_residual",
        }

    def test_the_default_candidate_is_one_of_the_space(self):
        recommender = chain(HyperInteraction())
        hp = search_space(recommender)
        assert hp.values == defaults(hp)
        branches = recommender.resolve(hp).blocks()["parallel_1"].branches
        assert [type(branch).__name__ for branch in branches] == ["InnerProductInteraction"] * 3


class TestWhatIsBuilt:
    def test_each_branch_is_as_decided(self):
        hyper = HyperInteraction(
            interactor_type=ar.choice("MLPInteraction", "FMInteraction"),
            meta_interactor_num=ar.choice(1, 2),
        )
        recommender = chain(hyper)
        values = {
            "meta_interactor_num": 2,
            "interactor_type_0": "FMInteraction",
            "fm_interaction_0/embedding_dim": 8,
            "interactor_type_1": "MLPInteraction",
            "mlp_interaction_1/units": 16,
        }
        _, hp = live(recommender, **values)
        parallel = recommender.resolve(hp).blocks()["parallel_1"]
        fm, mlp = parallel.branches
        assert fm == ar.FMInteraction(embedding_dim=8)
        assert mlp.units == 16

    def test_a_second_one_is_called_on_all_branches_of_the_first(self):
        first = HyperInteraction(meta_interactor_num=2, interactor_type="ElementwiseInteraction")
        second = HyperInteraction(meta_interactor_num=1, interactor_type="ConcatenateInteraction")
        recommender = chain(first, second)
        model = recommender.resolve(search_space(recommender)).model()
        shapes = [layer.output.shape for layer in model.layers if "concatenate" in layer.name]
        assert shapes[-1] == (None, 8)
        names = {hyperparameter.name for hyperparameter in search_space(recommender).space}
        assert "hyper_interaction_1/elementwise_interaction_1/operation" in names

    def test_without_branches_the_inputs_are_returned(self):
        inputs = [keras.Input((3,)), keras.Input((2, 4))]
        assert Parallel(branches=()).connect(inputs) == inputs

    def test_branches_can_have_different_inputs(self):
        multiply, add = (ar.ElementwiseInteraction(operation=name) for name in ("multiply", "sum"))
        parallel = Parallel(branches=(multiply, add, add), inputs=("0,2", "1, 3", "all"))
        a, b, c, d = VECTORS
        first, second, third = model_of(parallel, *VECTORS)(VECTORS)
        np.testing.assert_allclose(first, a * c, rtol=1e-6)
        np.testing.assert_allclose(second, b + d, rtol=1e-6)
        np.testing.assert_allclose(third, a + b + c + d, rtol=1e-5, atol=1e-6)
        assert round_trip(parallel) == parallel

    def test_which_inputs_is_searched_only_if_it_is_open(self):
        closed, open_ = (
            search_space(chain(hyper))
            for hyper in (
                HyperInteraction(meta_interactor_num=2),
                HyperInteraction(meta_interactor_num=2, branch_inputs=ar.choice("all", "0")),
            )
        )
        names = {hyperparameter.name for hyperparameter in closed.space}
        opened = {hyperparameter.name for hyperparameter in open_.space}
        assert opened - names == {
            "hyper_interaction_1/branch_inputs_0",
            "hyper_interaction_1/branch_inputs_1",
        }


class TestRestricting:
    def test_by_type_names(self):
        hyper = HyperInteraction(interactor_type=ar.choice("FMInteraction", "MLPInteraction"))
        names = {hyperparameter.name for hyperparameter in search_space(chain(hyper)).space}
        kinds = {name.split("/")[1] for name in names if name.count("/") == 2}
        assert kinds == {
            f"{kind}_{n}" for kind in ("fm_interaction", "mlp_interaction") for n in range(6)
        }

    def test_by_blocks_with_settings_of_their_own(self):
        hyper = HyperInteraction(
            meta_interactor_num=1, interactors=(ar.MLPInteraction(units=ar.choice(2, 3)),)
        )
        (units,) = (
            hyperparameter
            for hyperparameter in search_space(chain(hyper)).space
            if hyperparameter.name.endswith("units")
        )
        assert units.values == [2, 3]

    def test_an_interactor_can_have_settings_of_its_own(self):
        hyper = HyperInteraction(
            interactor_type=ar.choice("FMInteraction", "MLPInteraction"),
            interactors=(ar.MLPInteraction(units=32, num_layers=ar.choice(1, 2)),),
            meta_interactor_num=2,
        )
        assert round_trip(hyper) == hyper

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"interactor_type": "FM"}, "`interactor_type` .* one of .*FMInteraction.* 'FM'"),
            ({"interactor_type": "HyperInteraction"}, "must be one of"),
            ({"meta_interactor_num": -1}, "whole number of at least 0"),
            ({"branch_inputs": "user"}, "places counted from 0 such as \"0,2\". Received: 'user'"),
            ({"branch_inputs": ar.choice("all", "0,")}, "Received: '0,'"),
            ({"meta_interactor_num": ar.choice(1, 2, name="n")}, "shared as 'n'"),
            (
                {"interactor_type": "FMInteraction", "interactors": (ar.MLPInteraction(),)},
                "settings for MLPInteraction, but `interactor_type` only has",
            ),
            ({"interactors": (ar.FMInteraction(), ar.FMInteraction())}, "has a type twice"),
        ],
    )
    def test_what_cannot_be_is_named(self, settings, message):
        with pytest.raises(BlockError, match=message):
            HyperInteraction(**settings)

    def test_an_input_that_is_not_there_is_named(self):
        parallel = Parallel(branches=(ar.ConcatenateInteraction(),), inputs=("0,4",))
        with pytest.raises(BlockError, match="uses input 4, but there are only inputs 0 to 3"):
            model_of(parallel, *VECTORS)

    def test_unresolved_it_cannot_be_built(self):
        with pytest.raises(BlockError, match="cannot be connected"):
            HyperInteraction().connect([keras.Input((3,))])


def test_every_interactor_can_be_chosen():
    assert set(THESIS_TYPES) < set(searchable())
    assert not {"HyperInteraction", "Parallel"} & set(searchable())
