"""A search space as plain values: its settings, their conditions, and its points.

KerasTuner's `HyperParameters` checks all conditions again for each setting that it adds. In a large
space this takes a tenth of a second for each point, and a searcher draws a thousand points for one
proposal.
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
        name: The path of the hyperparameter.
        values: The possible values.
        default: The value that a search tries first.
        ordered: Whether the values are numbers, so that some are closer together than others.
        conditions: The other settings on which this one depends, each with the values for which
            this one is active.
    """

    name: str
    values: tuple[Any, ...]
    default: Any
    ordered: bool
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]

    def is_active(self, point: Mapping[str, Any]) -> bool:
        """Returns whether this setting is active at a point."""
        return all(name in point and point[name] in among for name, among in self.conditions)

    def nearest(self, value: Any) -> Any:
        """Returns a value that it can have: this one, the nearest number, or the default."""
        if value in self.values:
            return value
        if not self.ordered or not isinstance(value, int | float):
            return self.default
        return min(self.values, key=lambda one: abs(one - value))


class Points:
    """All points of a search space.

    Args:
        space: All hyperparameters, each after those that its conditions name.
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
        """Returns the point at which every setting has its default."""
        point: Values = {}
        for setting in self.settings:
            if setting.is_active(point):
                point[setting.name] = setting.default
        return point

    def fitted(self, values: Mapping[str, Any]) -> Values:
        """Returns the point of this space that is nearest to values of another space.

        A setting keeps its value if this space has it. A number that this space lacks becomes the
        nearest one, any other value the default.

        Args:
            values: Values by name, such as the winner's of an earlier search.
        """
        point: Values = {}
        for setting in self.settings:
            if setting.is_active(point):
                point[setting.name] = setting.nearest(values.get(setting.name, setting.default))
        return point

    def sample(
        self,
        random: np.random.Generator,
        near: Mapping[str, Any] | None = None,
        redrawn: Collection[str] = (),
    ) -> Values:
        """Draws a random point.

        Args:
            random: The random number generator.
            near: A point whose values are kept if they are possible.
            redrawn: Names of the settings of `near` whose values are drawn again.
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
        """Yields every point of the space once, in random order."""
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
