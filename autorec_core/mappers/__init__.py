"""Mappers: blocks from ids and numbers to feature vectors. Every module here is imported."""

from __future__ import annotations

import importlib
import pkgutil

from autorec_core.registration import register_layers

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

register_layers()
