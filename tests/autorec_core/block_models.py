"""Helpers for tests of blocks: blocks with every candidate, models of one block, saving."""

import dataclasses
import json
import re
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf

from autorec_core.block import Block, Choice

# Loads models as a stranger would, and writes down what they predict.
LOADER = """
import sys
import numpy as np
import autorec_core
import keras
for path in sys.argv[1:]:
    model = keras.saving.load_model(path, safe_mode=True)
    with np.load(path + ".inputs.npz") as file:
        outputs = model([file[name] for name in file])
    np.savez(path + ".outputs.npz", *[np.asarray(output) for output in outputs])
"""


def settled(block, **settings):
    """Returns the block with every choice at its default, or with the value in `settings`."""
    defaults = {
        field.name: value.default
        for field in dataclasses.fields(block)
        if isinstance(value := getattr(block, field.name), Choice)
    }
    return dataclasses.replace(block, **{**defaults, **settings})


def variants(block):
    """Returns the block with its defaults, and then with each other candidate of each field."""
    searched = {
        field.name: value
        for field in dataclasses.fields(block)
        if isinstance(value := getattr(block, field.name), Choice)
    }
    others = [
        settled(block, **{name: candidate})
        for name, choice in searched.items()
        for candidate in choice.values
        if candidate != choice.default
    ]
    return [settled(block), *others]


def farthest(block):
    """Returns the block with the candidates that are farthest from the defaults."""
    return settled(
        block,
        **{
            field.name: [one for one in value.values if one != value.default][-1]
            for field in dataclasses.fields(block)
            if isinstance(value := getattr(block, field.name), Choice)
        },
    )


def keras_inputs(arrays):
    """Makes a Keras input for each array."""
    return [keras.Input(array.shape[1:], dtype=str(array.dtype)) for array in arrays]


def model_of(block, *arrays):
    """Makes a Keras model of one resolved block on inputs shaped like `arrays`."""
    inputs = keras_inputs(arrays)
    return keras.Model(inputs, block.connect(inputs))


def value_of(block, *arrays):
    """Computes the output of a block without weights."""
    return np.asarray(model_of(block, *arrays)(list(arrays)))


def draw_weights(model, seed=0):
    """Gives a model weights that are all different, biases included; returns the model."""
    generator = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(generator.normal(0, 0.5, weight.shape))
    return model


def weights_by_class(model):
    """Returns the weights of each layer, by the layer's class, in the order of their creation."""
    layers = [layer for layer in model.layers if layer.weights]
    layers.sort(key=lambda layer: int((re.findall(r"_(\d+)$", layer.name) or [0])[0]))
    found = {}
    for layer in layers:
        arrays = [np.asarray(weight) for weight in layer.weights]
        found.setdefault(type(layer).__name__, []).append(arrays)
    return found


def gradients(model, arrays):
    """Computes the gradients of the mean squared output, in training."""
    tensors = [tf.constant(array) for array in arrays]
    numbers = [tensor for tensor in tensors if tensor.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(numbers)
        outputs = model(tensors, training=True)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        loss = tf.add_n([tf.reduce_mean(output**2) for output in outputs])
        loss = tf.add_n([loss, *(tf.cast(extra, loss.dtype) for extra in model.losses)])
    variables = [variable.value for variable in model.trainable_variables]
    found = tape.gradient(loss, [*variables, *numbers])
    return [np.asarray(tf.convert_to_tensor(one)) for one in found if one is not None]


def round_trip(block):
    """Writes a block as JSON and reads it again."""
    return Block.from_config(json.loads(json.dumps(block.get_config())))


def outputs_in_a_fresh_process(folder, models):
    """Saves each model, loads it in another process, and computes.

    `models` holds pairs of a model and its input arrays by name; returns pairs of the outputs here
    and there.
    """
    paths = []
    for name, (model, arrays) in models.items():
        path = folder / f"{name}.keras"
        model.save(path)
        np.savez(f"{path}.inputs.npz", *arrays)
        paths.append(str(path))
    subprocess.run([sys.executable, "-c", LOADER, *paths], check=True, cwd=folder)
    both = {}
    for path, (name, (model, arrays)) in zip(paths, models.items(), strict=True):
        with np.load(f"{path}.outputs.npz") as file:
            both[name] = (
                [np.asarray(output) for output in model(list(arrays))],
                [file[key] for key in file],
            )
    return both


def lambdas(model):
    """Returns the layers that would need unsafe loading."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Lambda)]
