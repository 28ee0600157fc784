"""Saved models load after `import autorec_core`, and importing it does not load TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest


def answer(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )


def test_importing_the_package_config_and_data_loads_no_tensorflow():
    program = (
        "import sys, autorec_core, autorec_core.config, autorec_core.data.schema;"
        "print([name for name in ('tensorflow', 'keras', 'keras_tuner') if name in sys.modules])"
    )
    assert answer(program).stdout.strip() == "[]"


LISTED = "print('autorec>Offset' in keras.src.saving.object_registration.GLOBAL_CUSTOM_OBJECTS)"


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import autorec_core, keras",
        "import keras, autorec_core",
        "import autorec_core.interactors; import keras",
    ],
)
def test_layers_are_registered_in_any_order_of_imports(imports):
    assert answer(f"{imports}; {LISTED}").stdout.strip() == "True"


@pytest.mark.slow
def test_a_block_taken_from_the_package_prints_nothing():
    result = answer("from autorec_core import MLPInteraction; print(MLPInteraction.__name__)")

    assert result.stdout == "MLPInteraction\n"
    assert result.stderr == ""
