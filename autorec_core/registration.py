"""Makes Keras know our layers as soon as both are imported, in whichever order.

Keras finds a saved model's custom layers by name among those registered, and registering needs
Keras: four seconds of TensorFlow that a command reading params.yaml should not pay. So the layers
register at once where Keras is there already, and otherwise when somebody imports it.
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
    """Registers the layers now if Keras is loaded, else as soon as it has been."""
    if "keras" in sys.modules:
        register_layers()
    elif not any(isinstance(finder, _KerasWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasWatcher())


class _KerasWatcher(MetaPathFinder):
    """Waits for the import of Keras, lets it happen, then registers the layers."""

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
    """Whether one of our modules is what imports Keras: it brings the layers itself."""
    ours = (module for name, module in sys.modules.items() if name.startswith("autorec_core."))
    return any(getattr(module.__spec__, "_initializing", False) for module in ours)
