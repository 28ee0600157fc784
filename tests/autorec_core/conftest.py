"""Fixtures of the block library's tests. Being here makes `block_models` importable below."""

import keras
import pytest


@pytest.fixture
def float64():
    """Keras layers that a test builds compute in float64."""
    policy = keras.config.dtype_policy()
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
