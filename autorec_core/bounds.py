"""Bounds on the values of a block's fields."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from autorec_core.errors import listed

_NAMES = {int: "whole number", float: "number", str: "text"}


@dataclass(frozen=True)
class Bounds:
    """The values that a field may take.

    Args:
        kind: int, float (which allows whole numbers too), bool or str.
        among: The values that are allowed; None for all that the other bounds allow.
        least: The smallest number that is allowed.
        most: The greatest number that is allowed.
        above: Values must be greater than this number.
        below: Values must be less than this number.
    """

    kind: type = float
    among: tuple[Any, ...] | None = None
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        if self.among is not None:
            return f"one of {listed(self.among)}"
        if self.kind is bool:
            return f"one of {listed((False, True))}"
        words = " and ".join(f"{words} {bound:g}" for words, _, bound in self._limits())
        return f"a {_NAMES[self.kind]} {words}".rstrip()

    def allow(self, value: Any) -> bool:
        """Returns whether a value is allowed."""
        if self.among is not None:
            return value in self.among
        if isinstance(value, bool) or self.kind is bool:
            return isinstance(value, self.kind)
        kinds = (int, float) if self.kind is float else self.kind
        return isinstance(value, kinds) and all(
            within(value, bound) for _, within, bound in self._limits()
        )

    def _limits(self) -> list[tuple[str, Any, float]]:
        limits = (
            ("of at least", operator.ge, self.least),
            ("of at most", operator.le, self.most),
            ("above", operator.gt, self.above),
            ("below", operator.lt, self.below),
        )
        return [(words, within, bound) for words, within, bound in limits if bound is not None]
