"""The plan of a run: the mode in which the search stage trains, and with which candidates.

The training flow writes it before the search stage, to a folder that DVC tracks. So everything that
the registry contributes to a training is a file, and `dvc repro` stays a function of files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from autorec_core.errors import DataError
from autorec_core.files import write_json

PLAN = "plan.json"
Mode = Literal["search", "settings"]
UNPLANNED = "No run has planned this training, so it is a full search."
_DECIDING = ("seed", "split", "preprocess", "model", "search", "train")
_NOT_DECIDING = {
    "search": ("seconds", "max_failures", "workers"),
    "dataset": ("title", "file", "sha256", "sources", "facts", "on_bad_rows", "max_bad_rows"),
}


@dataclass(frozen=True)
class Plan:
    """How the search stage trains.

    Args:
        mode: "search", or "settings": only the candidates are trained, without a search.
        asked: The mode in params.yaml that led to this plan, such as "auto".
        reason: Why this mode, as a sentence.
        candidates: Hyperparameters by name: those to train, or those that a search tries first.
        schedules: How long each candidate is trained, as the fields of a `Schedule`; empty for a
            search.
        champion: Number of the version that was live; None if there was none.
        decides: The parameters that a search's result depends on, as they were; see `deciding`.
    """

    mode: Mode
    asked: str
    reason: str
    candidates: tuple[Mapping[str, Any], ...] = ()
    champion: int | None = None
    decides: Mapping[str, Any] | None = None
    schedules: tuple[Mapping[str, Any], ...] = ()

    def fits(self, asked: str, decides: Mapping[str, Any]) -> bool:
        """Returns whether this plan is still what params.yaml asks for.

        Args:
            asked: The mode in params.yaml.
            decides: The parameters that a search's result depends on.
        """
        wanted = asked in ("auto", self.mode, self.asked)
        # Whoever changes a parameter of the search wants to see its effect.
        return wanted and (asked == "settings" or self.mode == "search" or self.decides == decides)

    def save(self, folder: Path) -> None:
        """Writes the plan into a folder."""
        write_json(folder / PLAN, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Reads the plan in a folder; None if it has none.

        Raises:
            DataError: The file is damaged.
        """
        path = folder / PLAN
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            several = {name: tuple(content.get(name, ())) for name in ("candidates", "schedules")}
            return cls(**{**content, **several})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path} is not a plan of a training ({error}): remove it.") from error


def deciding(params: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Returns the parameters that decide what a search finds, by section.

    Args:
        params: Content of params.yaml.
        dataset: The data set.
    """
    sections = {name: params.get(name) for name in _DECIDING}
    entry = dict(params["datasets"][dataset])
    tables = entry.pop("tables", None) or {}
    sections |= {"dataset": entry} | {f"table {name}": table for name, table in tables.items()}
    return {
        name: {key: v for key, v in content.items() if key not in _left_out(name)}
        if isinstance(content, Mapping)
        else content
        for name, content in sections.items()
    }


def _left_out(section: str) -> tuple[str, ...]:
    return _NOT_DECIDING.get("dataset" if section.startswith("table ") else section, ())


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the names of parameters that differ between two results of `deciding`."""
    found: list[str] = []
    for name in now:
        old, new = before.get(name), now[name]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            keys = {**old, **new}
            found += [f"{name}.{key}" for key in keys if old.get(key, ...) != new.get(key, ...)]
        elif old != new:
            found.append(name)
    return found
