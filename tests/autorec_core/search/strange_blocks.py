"""Blocks that misbehave, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor


@dataclass(frozen=True, kw_only=True)
class StrangeInteraction(Interactor):
    """A sum of its inputs that fails in the way that `mood` names."""

    searched: ClassVar[bool] = False

    mood: str = choice("calm", "deadly", "wrong", "buggy")

    def connect(self, inputs: Sequence[Any]) -> Any:
        if self.mood == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mood == "wrong":
            return keras.layers.Dense(1)(keras.layers.Reshape((7, 7))(inputs[0]))
        if self.mood == "buggy":
            return inputs.no_such_attribute  # type: ignore[attr-defined]
        return keras.layers.Add()(list(inputs))
