"""The live model of a server: loaded once, and replaced when the alias moves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from autorec_core.errors import AutoRecError
from flows.registry.loading import RowScorer
from flows.registry.versions import Version

logger = logging.getLogger(__name__)

Category = str | int | float | bool | None
# A number as text is rejected, because in a request it is a mistake of the client.
Number = float | bool | None


class _Strict(BaseModel):
    # Extra columns are ignored, as in all scoring of raw rows.
    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Live:
    """One version, loaded and ready to score.

    Args:
        version: The version.
        scorer: Its scorer.
    """

    version: Version
    scorer: RowScorer

    @cached_property
    def requests(self) -> TypeAdapter[Any]:
        """The validator of a request's body, `{"rows": [{column: value, ...}, ...]}`."""
        scorer = self.scorer
        return TypeAdapter(request_model(scorer.columns, scorer.numeric, scorer.missing))

    def columns_of(self, rows: list[Any]) -> dict[str, list[Any]]:
        """Returns validated rows as one list of values per column."""
        fields = [(name, f"column_{at}") for at, name in enumerate(self.scorer.columns)]
        return {name: [getattr(row, field) for row in rows] for name, field in fields}

    def warm_up(self) -> None:
        """Scores once, so that TensorFlow builds its graph before the first request."""
        for count in (1, 100):
            self.scorer.score_lists({name: [None] * count for name in self.scorer.columns})


def request_model(
    names: Sequence[str], numeric: Collection[str], missing: Sequence[str] = ()
) -> type[BaseModel]:
    """Creates the pydantic model of a request: rows with all columns of the scorer.

    Args:
        names: The columns.
        numeric: The columns of numbers; all others are categories.
        missing: Words that mean the same as null in any column.
    """
    number: Any = Number | Literal[tuple(missing)] if missing else Number
    columns: dict[str, Any] = {
        f"column_{at}": (
            number if name in numeric else Category,
            # An alias, because a column may have a name that an attribute cannot have.
            Field(alias=name, title=name, description="null if missing"),
        )
        for at, name in enumerate(names)
    }
    row = create_model("Row", __base__=_Strict, **columns)
    return create_model("Rows", __base__=_Strict, rows=(list[row], Field(min_length=1)))  # type: ignore[valid-type]


class Champion:
    """The model behind an alias. It is replaced while the server runs when the alias moves.

    A new version is loaded first and then replaces the old one. A request keeps the version it
    started with, so no request is lost. If the registry does not answer or a new version does not
    load, the old version stays.

    Args:
        find: Returns the version that the alias points to now.
        load: Loads a version's scorer.
        seconds: Seconds between two look-ups of the alias.
        told: Called after each look-up with "same", "moved" or "failed".
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
        """Starts to follow the alias."""
        self._thread.start()

    def stop(self) -> None:
        """Stops following the alias."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._seconds + 30)

    def look(self) -> None:
        """Looks up the alias once, and loads its version if it has changed."""
        try:
            version = self._find()
            moved = version.number != self.live.version.number
            if moved:
                self.live = self._ready(version)
                logger.info("Version %s is live from now on.", version.number)
            self.trouble, self.looked = None, time.time()
            self._told("moved" if moved else "same")
        except Exception as error:  # after any error, the old version keeps answering
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
