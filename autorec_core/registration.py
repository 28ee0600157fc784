"""Registers our layers with Keras as soon as both are imported, in either order.

Keras finds the custom layers of a saved model among the registered ones. Registering imports Keras
and TensorFlow, which takes seconds, and a command that only reads params.yaml should not wait for
that. The layers are therefore registered at once if Keras is already imported, and otherwise when
it is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from autorec_core.quiet import import_tensorflow, quiet_start


def register_layers() -> None:
    """Imports every module that defines a Keras layer."""
    import_tensorflow()
    for module in ("optimizers", "recipe", "mappers", "interactors"):
        importlib.import_module(f"autorec_core.{module}")


def install() -> None:
    """Registers the layers now if Keras is imported, or else as soon as it is."""
    if "keras" in sys.modules:
        register_layers()
    elif not any(isinstance(finder, _KerasWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasWatcher())


class _KerasWatcher(MetaPathFinder):
    """Registers the layers right after Keras is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: ModuleType) -> None:
                with quiet_start():
                    load(module)
                if not _importing_ourselves():
                    register_layers()

            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def _importing_ourselves() -> bool:
    """Returns whether one of our modules imports Keras; it then defines the layers itself."""
    ours = (module for name, module in sys.modules.items() if name.startswith("autorec_core."))
    return any(getattr(module.__spec__, "_initializing", False) for module in ours)
