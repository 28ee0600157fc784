"""Tests every registered mapper, including new ones."""

import dataclasses

import keras
import numpy as np
import pytest
from block_models import (
    draw_weights,
    farthest,
    gradients,
    keras_inputs,
    lambdas,
    model_of,
    outputs_in_a_fresh_process,
    round_trip,
    settled,
    variants,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import autorec_core as ar
from autorec_core.block import Block
from autorec_core.errors import BlockError
from autorec_core.mappers.base import Mapper
from autorec_core.mappers.sparse_feature import ColumnsMapper
from autorec_core.recommender import adapt

ar.Input  # noqa: B018 - the first name registers all blocks
MAPPERS = sorted(
    name
    for name, kind in Block.registry.items()
    if issubclass(kind, Mapper) and kind not in (Mapper, ColumnsMapper)
)
SIZES = (6, 5, 4)
# What a mapper must be told of a table of three id columns, whichever of it its fields ask for.
TOLD = {
    "vocabulary_sizes": SIZES,
    "feat_column_id": 1,
    "id_num": 5,
    "key_column": 0,
    "key_num": 6,
    "value_column": 1,
    "value_num": 5,
    "user_column": 0,
    "user_num": 6,
    "item_column": 1,
    "item_num": 5,
    "first_column": 1,
    "length": 2,
    "vocabulary_size": 5,
}
IDS = np.array([[0, 0, 0], [5, 4, 3], [1, 2, 3], [1, 0, 0], [0, 4, 1], [1, 4, 1]], "int32")
NUMBERS = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")


def made(name):
    kind = Block.registry[name]
    required = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    return kind(**{field: TOLD[field] for field in required})


def rows_for(name):
    return IDS if Block.registry[name].maps_ids else NUMBERS


def adapted(model, array, scale=0.5):
    """Adapts the model to training rows and gives it weights that are all different."""
    draw_weights(model)
    adapt(model, {model.layers[0].name: array}, np.arange(len(array), dtype="float32") % 2)
    return model


@pytest.mark.parametrize("name", MAPPERS)
def test_every_candidate_is_sound(name):
    rows = rows_for(name)
    for variant in variants(made(name)):
        model = adapted(model_of(variant, rows), rows)
        output = np.asarray(model([rows]))
        assert output.shape == (len(rows), *model.output_shape[1:])
        assert np.isfinite(output).all()
        assert round_trip(variant) == variant
        assert not lambdas(model)
        for weight, gradient in zip(
            model.trainable_weights, gradients(model, [rows]), strict=False
        ):
            assert np.isfinite(gradient).all()
            assert np.abs(gradient).max() > 0, f"{weight.path} of {variant} is never trained"


@pytest.mark.parametrize("name", MAPPERS)
def test_a_batch_of_one_and_unknown_ids(name):
    rows = rows_for(name)
    model = adapted(model_of(settled(made(name)), rows), rows)
    output = np.asarray(model([rows]))
    for place in range(len(rows)):  # the first row holds nothing but id 0
        alone = np.asarray(model([rows[place : place + 1]]))
        np.testing.assert_allclose(alone, output[place : place + 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MAPPERS)
def test_an_undecided_block_survives_its_configuration(name):
    kind = type(made(name))
    required = {f: TOLD[f] for f in TOLD if f in kind.__dataclass_fields__}
    assert round_trip(made(name)) == made(name)
    assert round_trip(kind.thesis(**required)) == kind.thesis(**required)


@pytest.mark.parametrize("value", [1e6, -1e6, 0.0])
@pytest.mark.parametrize("name", [name for name in MAPPERS if not Block.registry[name].maps_ids])
def test_gradients_are_finite_on_extreme_numbers(name, value):
    rows = np.full_like(NUMBERS, value)
    for variant in variants(made(name)):
        for gradient in gradients(model_of(variant, rows), [rows]):
            assert np.isfinite(gradient).all()


def test_saved_models_load_elsewhere_and_give_the_same_to_the_bit(tmp_path):
    models = {}
    for name in MAPPERS:
        rows = rows_for(name)
        tensors = keras_inputs([rows])
        outputs = [block.connect(tensors) for block in (settled(made(name)), farthest(made(name)))]
        models[name] = (adapted(keras.Model(tensors, outputs), rows), [rows])

    for here, there in outputs_in_a_fresh_process(tmp_path, models).values():
        assert len(here) == len(there) == 2
        for before, after in zip(here, there, strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("shape", [(), (2, 3), (None, 2, 3)])
@pytest.mark.parametrize("name", MAPPERS)
def test_an_input_that_is_not_a_table_is_an_error(name, shape):
    tensor = keras.Input(shape, dtype=str(rows_for(name).dtype))
    with pytest.raises(BlockError, match=rf"{name} must be called on one input of shape"):
        settled(made(name)).connect([tensor])
    with pytest.raises(BlockError, match="must be called on one input"):
        settled(made(name)).connect([])


@pytest.mark.parametrize("name", MAPPERS)
def test_numbers_are_not_taken_for_ids_nor_ids_for_numbers(name):
    wrong = "float32" if Block.registry[name].maps_ids else "int32"
    with pytest.raises(BlockError, match=f"{name} maps .* Received: {wrong}"):
        settled(made(name)).connect([keras.Input((3,), dtype=wrong)])


@pytest.mark.parametrize("name", [name for name in MAPPERS if Block.registry[name].maps_ids])
def test_a_column_that_is_not_there_is_an_error(name):
    with pytest.raises(BlockError, match="the input has"):
        settled(made(name)).connect([keras.Input((1,), dtype="int32")])


@pytest.mark.parametrize("name", MAPPERS)
def test_the_docstring_says_what_it_returns(name):
    text = Block.registry[name].__doc__ or ""
    assert "Tensor of shape (batch_size" in text
    assert "References:" in text
    for field in dataclasses.fields(Block.registry[name]):
        assert f"\n        {field.name}: " in text


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    dim=st.integers(1, 6),
    one_table=st.booleans(),
    data=st.data(),
)
def test_any_columns_are_mapped_each_to_its_own_vectors(sizes, dim, one_table, data):
    places = data.draw(st.permutations(range(len(sizes))))
    block = ar.SparseFeatureMapper(
        columns=tuple(places),
        vocabulary_sizes=tuple(sizes[place] for place in places),
        embedding_dim=dim,
        l2=0.0,
        one_table=one_table,
    )
    generator = np.random.default_rng(0)
    ids = np.stack([generator.integers(0, size, 8) for size in sizes], axis=1).astype("int32")
    model = draw_weights(model_of(block, ids))

    output = np.asarray(model([ids]))

    assert output.shape == (8, len(sizes), dim)
    # The same id of the same column is the same vector, any other a different one.
    seen = {}
    for row in range(8):
        for field, place in enumerate(places):
            vector = seen.setdefault((place, ids[row, place]), output[row, field].tobytes())
            assert vector == output[row, field].tobytes()
    assert len(set(seen.values())) == len(seen)
    assert round_trip(block) == block
