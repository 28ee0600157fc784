"""Choices and blocks: allowed values, hyperparameters, and errors."""

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autorec_core as ar
from autorec_core.block import Block, Choice, choice, snake_case
from autorec_core.errors import BlockError

MLP = ar.MLPInteraction


class TestChoice:
    def test_the_first_value_is_the_default(self):
        assert choice(1, 2) == Choice((1, 2), 1)
        assert choice(1, 2, default=2).default == 2

    def test_falsy_defaults_are_defaults(self):
        assert choice(1, 0, default=0).default == 0
        assert choice(True, False, default=False).default is False

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: choice(1, 2, default=3), "default 3 is not among"),
            (lambda: choice(1, 0.5), "must be of one type"),
            (lambda: choice(1, True), "must be of one type"),
            (lambda: Choice((), 1), "at least one candidate"),
        ],
    )
    def test_what_cannot_be_is_named(self, make, message):
        with pytest.raises(BlockError, match=message):
            make()


class TestAsking:
    def test_a_fixed_field_is_not_searched(self):
        hp = keras_tuner.HyperParameters()
        block = MLP(
            dropout_rate=0.0, use_batch_norm=False, units=choice(8), num_layers=choice(1, 2)
        )
        resolved = block.resolve(hp)
        assert [asked.name for asked in hp.space] == ["num_layers"]
        assert (resolved.dropout_rate, resolved.units) == (0.0, 8)
        assert resolved.undecided() == []

    def test_booleans_come_back_as_booleans(self):
        hp = keras_tuner.HyperParameters()
        hp.values["use_batch_norm"] = True
        assert MLP().resolve(hp).use_batch_norm is True

    def test_a_shared_choice_is_one_hyperparameter_wherever_it_stands(self):
        width = choice(4, 8, name="width")
        ids = ar.Input(shape=[2])
        mapped = [
            ar.LatentFactorMapper(feat_column_id=c, id_num=3, embedding_dim=width, l2=0.0)(ids)
            for c in (0, 1)
        ]
        recommender = ar.RPRecommender(
            inputs=ids,
            outputs=ar.RatingPredictionOptimizer()(ar.InnerProductInteraction()(mapped)),
        )
        hp = keras_tuner.HyperParameters()
        hp.values["width"] = 8
        dims = [
            block.embedding_dim
            for name, block in recommender.resolve(hp).blocks().items()
            if name.startswith("latent")
        ]
        assert dims == [8, 8]
        assert [asked.name for asked in hp.space].count("width") == 1


class TestWrongSettings:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: MLP(units=0), "`units` of MLPInteraction .* whole number of at least 1.* 0"),
            (lambda: MLP(units=1.5), "a whole number of at least 1. Received: 1.5"),
            (lambda: MLP(units=choice(8, -8)), "Received: -8"),
            (lambda: MLP(dropout_rate=1.0), "number of at least 0 and below 1. Received: 1.0"),
            (lambda: MLP(dropout_rate=True), "Received: True"),
            (lambda: MLP(use_batch_norm="yes"), "one of False, True. Received: 'yes'"),
            (lambda: ar.ElementwiseInteraction(operation="mean"), "average, max, min"),
            (
                lambda: ar.TwoStreamInteraction(units=choice(8, 30), num_heads=4),
                "30 units, 4 heads",
            ),
            (lambda: ar.Training(learning_rate=0.0), "a number above 0"),
            (lambda: ar.Training(decay=1.5), "of at most 1 and above 0. Received: 1.5"),
            (lambda: ar.Training(batch_size=0), "whole number of at least 1"),
        ],
    )
    def test_the_message_says_what_is_allowed(self, make, message):
        with pytest.raises(BlockError, match=message):
            make()


class TestChaining:
    def test_a_block_is_called_on_nodes(self):
        with pytest.raises(BlockError, match="is called on an Input"):
            MLP()([])
        with pytest.raises(BlockError, match="is called on an Input"):
            MLP()([1.0])

    def test_a_drawing_says_what_is_open(self):
        assert "units=8 | 16" in str(MLP(units=choice(8, 16)))

    def test_configurations_of_unknown_blocks_are_refused(self):
        with pytest.raises(BlockError, match=r"Unknown block 'Nope'\. Known blocks: .*FMInter"):
            Block.from_config({"block": "Nope"})


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("FMInteraction", "fm_interaction"),
        ("MLPInteraction", "mlp_interaction"),
        ("CrossNetV2Interaction", "cross_net_v2_interaction"),
        ("HyperInteraction", "hyper_interaction"),
    ],
)
def test_names_in_paths(name, path):
    assert snake_case(name) == path


candidate_lists = st.one_of(
    st.lists(st.integers(1, 500), min_size=1, max_size=5, unique=True),
    st.integers(1, 500),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(units=candidate_lists, layers=candidate_lists, rate=st.floats(0, 0.99))
def test_blocks_survive_their_configuration(units, layers, rate):
    open_units = choice(*units) if isinstance(units, list) else units
    open_layers = choice(*layers) if isinstance(layers, list) else layers
    block = MLP(units=open_units, num_layers=open_layers, dropout_rate=rate)
    again = Block.from_config(block.get_config())
    assert again == block
    hp = keras_tuner.HyperParameters()
    resolved = again.resolve(hp)
    assert resolved.units == (units[0] if isinstance(units, list) else units)
    assert resolved.undecided() == []
