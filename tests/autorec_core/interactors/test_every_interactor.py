"""Tests every registered interactor, including new ones."""

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

from autorec_core.block import Block
from autorec_core.errors import BlockError
from autorec_core.interactors.hyper import searchable

INTERACTORS = searchable()
SHAPES = {
    "vectors": [(6,), (6,), (6,)],
    "vectors of different widths": [(6,), (4,), (3,)],
    "one vector": [(6,)],
    "numbers": [(1,), (1,)],
    "a table": [(5, 4)],
    "a table of one field": [(1, 4)],
    "tables": [(3, 4), (2, 4)],
    "tables of different widths": [(3, 4), (2, 5)],
    "mixed": [(6,), (3, 4), (4,)],
}
MIXED = SHAPES["mixed"]


def arrays(shapes, rows=5, scale=1.0, seed=1):
    generator = np.random.default_rng(seed)
    return [generator.normal(0, scale, (rows, *shape)).astype("float32") for shape in shapes]


def made(name):
    return Block.registry[name]()


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")  # of one field
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", INTERACTORS)
def test_works_on_vectors_and_tables_of_any_number(name, shapes):
    inputs = arrays(shapes)
    model = model_of(settled(made(name)), *inputs)

    output = np.asarray(model(inputs))

    assert output.shape == (5, *model.output_shape[1:])
    assert len(output.shape) in (2, 3)
    assert np.isfinite(output).all()
    # A batch of one: a row's output does not depend on other rows.
    alone = np.asarray(model([array[2:3] for array in inputs]))
    np.testing.assert_allclose(alone, output[2:3], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", INTERACTORS)
def test_every_candidate_is_sound(name):
    inputs = arrays(MIXED, rows=64)
    for variant in variants(made(name)):
        model = draw_weights(model_of(variant, *inputs))
        found = gradients(model, inputs)
        assert round_trip(variant) == variant
        assert not lambdas(model)
        for weight, gradient in zip(model.trainable_weights, found, strict=False):
            assert np.isfinite(gradient).all()
            assert np.abs(gradient).max() > 0, f"{weight.path} of {variant} is never trained"


@pytest.mark.parametrize("name", INTERACTORS)
def test_an_undecided_block_survives_its_configuration(name):
    assert round_trip(made(name)) == made(name)
    assert round_trip(made(name).thesis()) == made(name).thesis()


@pytest.mark.parametrize("value", [1e6, -1e6, 0.0])
@pytest.mark.parametrize("name", INTERACTORS)
def test_gradients_are_finite_on_extreme_inputs(name, value):
    for shapes in (SHAPES["vectors"], MIXED):
        inputs = [np.full_like(array, value) for array in arrays(shapes)]
        model = model_of(settled(made(name)), *inputs)
        for gradient in gradients(model, inputs):
            assert np.isfinite(gradient).all()


def test_saved_models_load_elsewhere_and_give_the_same_to_the_bit(tmp_path):
    inputs = arrays(MIXED)
    models = {}
    for name in INTERACTORS:
        tensors = keras_inputs(inputs)
        outputs = [block.connect(tensors) for block in (settled(made(name)), farthest(made(name)))]
        models[name] = (draw_weights(keras.Model(tensors, outputs)), inputs)

    for here, there in outputs_in_a_fresh_process(tmp_path, models).values():
        assert len(here) == len(there) == 2
        for before, after in zip(here, there, strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.filterwarnings("ignore:.*passed an input with a mask")  # which is what is tested
@pytest.mark.parametrize("name", INTERACTORS)
def test_masks_change_nothing(name):
    """Id 0 is "unknown" and has its own vector, so no field is masked."""
    ids = np.array([[0, 1, 2], [3, 0, 0]], "int32")
    embedding = keras.layers.Embedding(4, 5, mask_zero=True)
    table = keras.Input((3,), dtype="int32")
    block = settled(made(name))
    vectors = embedding(table)
    masked = keras.Model(table, block.connect([vectors]))
    plain = model_of(block, np.asarray(embedding(ids)))
    plain.set_weights(masked.get_weights()[1:])

    np.testing.assert_allclose(masked(ids), plain(embedding(ids)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((), "float32", r"shape \(batch_size, width\) or \(batch_size, fields, dim\)"),
        ((2, 3, 4), "float32", r"Received: \(None, 2, 3, 4\)"),
        ((None,), "float32", r"Received: \(None, None\)"),
        ((None, 4), "float32", r"Received: \(None, None, 4\)"),
        ((3,), "int32", "Put a mapper before it"),
    ],
)
@pytest.mark.parametrize("name", INTERACTORS)
def test_unsuitable_inputs_are_named(name, shape, dtype, message):
    fine = keras.Input((3,))
    with pytest.raises(BlockError, match=message):
        settled(made(name)).connect([fine, keras.Input(shape, dtype=dtype)])


@pytest.mark.parametrize("name", INTERACTORS)
def test_no_input_at_all_is_an_error(name):
    with pytest.raises(BlockError, match="at least one"):
        settled(made(name)).connect([])


@pytest.mark.parametrize("name", INTERACTORS)
def test_the_docstring_says_what_it_returns(name):
    text = Block.registry[name].__doc__ or ""
    assert "Tensor of shape (batch_size" in text
    assert "References:" in text
    for field in dataclasses.fields(Block.registry[name]):
        assert f"\n        {field.name}: " in text


shapes_of_inputs = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 7)),
        st.tuples(st.integers(1, 4), st.integers(1, 7)),
    ),
    min_size=1,
    max_size=4,
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(data=st.data(), name=st.sampled_from(INTERACTORS), shapes=shapes_of_inputs)
def test_any_candidate_works_on_any_shapes(data, name, shapes):
    block = data.draw(st.sampled_from(variants(made(name))))
    tensors = [keras.Input(shape) for shape in shapes]

    output = block.connect(tensors)

    assert output.shape[0] is None
    assert all(size >= 1 for size in output.shape[1:])
    assert round_trip(block) == block
