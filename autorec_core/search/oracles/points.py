"""A search space as plain values: its settings, when each is active, and the points they make.

KerasTuner's `HyperParameters` checks all conditions again for each setting it adds, which takes a
tenth of a second a point in a large space. Searchers draw a thousand points for one proposal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner
import numpy as np

from autorec_core.optional import KEEP

_LEFT_OUT = 0.1
"""How often a random point leaves out a part that is there by default."""

Values = dict[str, Any]
"""A point: the value of each active setting by its name."""


@dataclass(frozen=True)
class Setting:
    """One hyperparameter.

    Args:
        name: Its path.
        values: What it can be.
        default: What a search tries first.
        ordered: Whether its values are numbers, so that some lie nearer to each other than others.
        conditions: Names of other settings and the values that they must have for this one to be
            active.
    """

    name: str
    values: tuple[Any, ...]
    default: Any
    ordered: bool
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]

    def is_active(self, point: Mapping[str, Any]) -> bool:
        """Whether a point has this setting."""
        return all(name in point and point[name] in among for name, among in self.conditions)


class Points:
    """All points of a search space.

    Args:
        space: Every hyperparameter, each behind those that its conditions name.
    """

    def __init__(self, space: keras_tuner.HyperParameters) -> None:
        self.settings = tuple(
            Setting(
                name=hp.name,
                values=tuple(hp.values),
                default=hp.default,
                ordered=bool(getattr(hp, "ordered", False)),
                conditions=tuple((one.name, tuple(one.values)) for one in hp.conditions),
            )
            for hp in space.space
        )

    def defaults(self) -> Values:
        """The point that has every default."""
        point: Values = {}
        for setting in self.settings:
            if setting.is_active(point):
                point[setting.name] = setting.default
        return point

    def sample(
        self,
        random: np.random.Generator,
        near: Mapping[str, Any] | None = None,
        redrawn: Collection[str] = (),
    ) -> Values:
        """A random point.

        Args:
            random: Decides what is drawn.
            near: A point whose values are kept, where they apply.
            redrawn: Names of settings whose values are drawn anew all the same.
        """
        kept = {} if near is None else {n: v for n, v in near.items() if n not in redrawn}
        drawn = random.random(len(self.settings)).tolist()
        point: Values = {}
        for setting, share in zip(self.settings, drawn, strict=True):
            if setting.is_active(point):
                values = setting.values
                value = values[int(share * len(values))]
                if setting.name.startswith(KEEP):
                    value = share >= _LEFT_OUT
                if setting.name in kept and kept[setting.name] in values:
                    value = kept[setting.name]
                point[setting.name] = value
        return point

    def every(self, random: np.random.Generator) -> Iterator[Values]:
        """Every point of the space once, in an order that `random` decides."""
        yield from self._from(0, {}, random)

    def _from(self, place: int, point: Values, random: np.random.Generator) -> Iterator[Values]:
        while place < len(self.settings) and not self.settings[place].is_active(point):
            place += 1
        if place == len(self.settings):
            yield dict(point)
            return
        setting = self.settings[place]
        for chosen in random.permutation(len(setting.values)):
            point[setting.name] = setting.values[chosen]
            yield from self._from(place + 1, point, random)
        del point[setting.name]
