"""Small changes of a point: of its structure, or of its recipe.

A setting decides structure if other settings depend on it, such as the number of branches or the
type of a branch, or if it says whether a part is there. All other settings are the recipe: rates,
widths, regularisation.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from autorec_core.optional import KEEP
from autorec_core.search.oracles.points import Points, Setting, Values

_BRANCHES = f"{KEEP}branches"
_TYPE = re.compile(r"(?P<hyper>.*)interactor_type_(?P<branch>\d+)")


class Moves:
    """The points that lie one step from a point.

    Args:
        points: The search space.
    """

    def __init__(self, points: Points) -> None:
        self._points = points
        asked = {name for setting in points.settings for name, _ in setting.conditions}
        self._structural = {s.name for s in points.settings if s.name in asked}
        self._branches = {
            setting.name: match
            for setting in points.settings
            if (match := _TYPE.fullmatch(setting.name))
        }
        self._structural |= {s.name for s in points.settings if s.name.startswith(KEEP)}
        self._structural |= set(self._branches)
        counts = {f"{match['hyper']}meta_interactor_num" for match in self._branches.values()}
        self._counts = [s for s in points.settings if s.name in counts]

    def with_branches(self, types: Sequence[str]) -> Values | None:
        """Returns the defaults with branches of these types; None if the space has no such point.

        Args:
            types: Class names of interactors; none for a model without branches.
        """
        if not types and any(setting.name == _BRANCHES for setting in self._points.settings):
            return self._completed({_BRANCHES: False})
        for count in self._counts:
            hyper = count.name.removesuffix("meta_interactor_num")
            wanted: Values = {count.name: len(types)}
            wanted |= {f"{hyper}interactor_type_{n}": name for n, name in enumerate(types)}
            point = self._completed(wanted)
            if all(point.get(name) == value for name, value in wanted.items()):
                return point
        return None

    def of_structure(self, point: Mapping[str, Any]) -> Iterator[Values]:
        """Yields points with one structural setting changed; what depends on it has its defaults.

        If a branch is added, there is a point for each type that it can have. No point gets two
        branches of one type.
        """
        for setting in self._settings(point):
            if setting.name not in self._structural:
                continue
            for value in setting.values:
                if _is_near(setting, point[setting.name], value):
                    changed = self._completed({**point, setting.name: value})
                    for made in self._with_each_new_type(point, changed):
                        if not self._has_a_type_twice(made):
                            yield made

    def of_recipe(self, point: Mapping[str, Any]) -> Iterator[Values]:
        """Yields points with one other setting changed, a number to the next smaller or larger."""
        for setting in self._settings(point):
            if setting.name in self._structural:
                continue
            for value in setting.values:
                if _is_near(setting, point[setting.name], value):
                    yield {**point, setting.name: value}

    def shape(self, point: Mapping[str, Any]) -> Hashable:
        """Names a point by its values; the order of its branches does not matter."""
        branches: dict[tuple[str, str], list[tuple[str, Any]]] = {}
        owners = [(m["hyper"], m["branch"]) for n, m in self._branches.items() if n in point]
        rest = []
        for name, value in point.items():
            key = next((one for one in owners if _belongs(name, *one)), None)
            if key is None:
                rest.append((name, value))
            else:
                branches.setdefault(key, []).append((_without_number(name, *key), value))
        groups = sorted(repr((key[0], sorted(found))) for key, found in branches.items())
        return tuple(sorted(rest)), tuple(groups)

    def _settings(self, point: Mapping[str, Any]) -> list[Setting]:
        return [s for s in self._points.settings if s.name in point and len(s.values) > 1]

    def _with_each_new_type(self, old: Mapping[str, Any], point: Values) -> Iterator[Values]:
        """Yields the point with each type of the first branch that `old` does not have."""
        new = next((name for name in self._branches if name in point and name not in old), None)
        if new is None:
            yield point
            return
        setting = next(s for s in self._points.settings if s.name == new)
        for value in setting.values:
            yield self._completed({**point, new: value})

    def _has_a_type_twice(self, point: Mapping[str, Any]) -> bool:
        types = [(m["hyper"], point[n]) for n, m in self._branches.items() if n in point]
        return len(set(types)) < len(types)

    def _completed(self, wanted: Mapping[str, Any]) -> Values:
        """Returns the point with the wanted values where possible, else with the defaults."""
        point: Values = {}
        for setting in self._points.settings:
            if setting.is_active(point):
                value = wanted.get(setting.name, setting.default)
                point[setting.name] = value if value in setting.values else setting.default
        return point


def _is_near(setting: Setting, old: Any, new: Any) -> bool:
    """Returns whether a value is one step away: another category, or the next number."""
    if isinstance(old, str | bool):
        return bool(old != new)
    ranked = sorted(setting.values)
    return abs(ranked.index(old) - ranked.index(new)) == 1


def _belongs(name: str, hyper: str, branch: str) -> bool:
    """Returns whether a setting belongs to a branch."""
    if not name.startswith(hyper):
        return False
    first = name[len(hyper) :].partition("/")[0]
    return first.rpartition("_")[2] == branch and first != "meta_interactor_num"


def _without_number(name: str, hyper: str, branch: str) -> str:
    first, slash, rest = name[len(hyper) :].partition("/")
    return f"{first.removesuffix('_' + branch)}{slash}{rest}"
