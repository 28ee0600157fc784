"""The model that answers now: loaded once, replaced whole when the alias moves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.errors import AutoRecError
from flows.registry.loading import RowScorer
from flows.registry.versions import Version

logger = logging.getLogger(__name__)

Category = str | int | float | bool | None
# A number that arrives as text is refused: in a request it is a mistake of whoever sends it.
Number = float | bool | None


class _Strict(BaseModel):
    # Other columns are ignored, as everywhere that raw rows are scored.
    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Live:
    """One version, ready to answer.

    Args:
        version: The version.
        scorer: Its scorer.
    """

    version: Version
    scorer: RowScorer

    @cached_property
    def requests(self) -> TypeAdapter[Any]:
        """What checks a request's body: `{"rows": [{column: value, ...}, ...]}`."""
        scorer = self.scorer
        return TypeAdapter(request_model(scorer.columns, scorer.numeric, scorer.missing))

    def score(self, rows: list[Any], unknown: UnknownIds) -> np.ndarray:
        """Scores checked rows, and counts unknown ids; float32, shape (rows,)."""
        fields = [(name, f"column_{at}") for at, name in enumerate(self.scorer.columns)]
        return self.scorer.score_lists(
            {name: [getattr(row, field) for row in rows] for name, field in fields}, unknown
        )

    def warm_up(self) -> None:
        """Scores once, so that the first request does not wait for the graph to be built."""
        for count in (1, 100):
            self.scorer.score_lists({name: [None] * count for name in self.scorer.columns})


def request_model(
    names: Sequence[str], numeric: Collection[str], missing: Sequence[str] = ()
) -> type[BaseModel]:
    """The shape of a request for a model: rows with its columns, all of them, null for missing.

    Args:
        names: The columns.
        numeric: Those of them that hold numbers; the others hold categories.
        missing: The words that mean the same as null in any column.
    """
    number: Any = Number | Literal[tuple(missing)] if missing else Number
    columns: dict[str, Any] = {
        f"column_{at}": (
            number if name in numeric else Category,
            # A column may be called anything; an attribute may not.
            Field(alias=name, title=name, description="null where missing"),
        )
        for at, name in enumerate(names)
    }
    row = create_model("Row", __base__=_Strict, **columns)
    return create_model("Rows", __base__=_Strict, rows=(list[row], Field(min_length=1)))  # type: ignore[valid-type]


class Champion:
    """Follows an alias: a new version is loaded beside the old one, then takes its place.

    A request keeps the version it began with, so none is dropped. When the registry does not
    answer or a new version does not load, the old one goes on.

    Args:
        find: Gives the version that the alias points to now.
        load: Loads a version's scorer.
        seconds: How often the alias is looked up.
        told: Hears of each look: "same", "moved" or "failed".
    """

    def __init__(
        self,
        find: Callable[[], Version],
        load: Callable[[Version], RowScorer],
        seconds: float,
        told: Callable[[Literal["same", "moved", "failed"]], None] = lambda outcome: None,
    ) -> None:
        self._find, self._load, self._seconds, self._told = find, load, seconds, told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="champion", daemon=True)
        self.trouble: str | None = None
        self.looked = time.time()
        self.live = self._ready(find())

    def start(self) -> None:
        """Begins to follow the alias."""
        self._thread.start()

    def stop(self) -> None:
        """Ends following it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._seconds + 30)

    def look(self) -> None:
        """Looks the alias up once and loads what it points to, if that has changed."""
        try:
            version = self._find()
            moved = version.number != self.live.version.number
            if moved:
                self.live = self._ready(version)
                logger.info("Version %s answers from now on.", version.number)
            self.trouble, self.looked = None, time.time()
            self._told("moved" if moved else "same")
        except Exception as error:  # whatever it is, the old version goes on answering
            trouble = str(error) if isinstance(error, AutoRecError) else type(error).__name__
            if trouble != self.trouble:
                logger.warning("The champion cannot be looked up or loaded: %s", trouble)
            self.trouble = trouble
            self._told("failed")

    def _ready(self, version: Version) -> Live:
        live = Live(version, self._load(version))
        live.warm_up()
        return live

    def _follow(self) -> None:
        while not self._stop.wait(self._seconds):
            self.look()
