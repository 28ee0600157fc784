"""Answers requests for the best items of one user, and shows what they have met."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from autorec_core.data import values
from autorec_core.data.canonical import category
from autorec_core.errors import AutoRecError, DataError
from autorec_core.recommending.index import Index
from autorec_core.recommending.interactions import Excluded
from autorec_core.recommending.ranker import Ranker
from flows.serving.api.live_model import Category, Live
from flows.serving.load_ranker import History, history_of, ranker_of
from flows.serving.wanted import NOTHING, SEEN, TOP

Id = str | int | float
SHOWN = 100
"""Rows of a user's history that are shown, the latest ones."""


class Request(BaseModel):
    """A request for the best items of one user."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    user: Id = Field(description="The user; one the model does not know gets popular items")
    top: int = Field(TOP, description="Items at most")
    exclude: Literal["seen", "none"] | list[Id] = Field(
        SEEN, description="What the user does not get: what they have met, nothing, or these items"
    )
    candidates: list[Id] | None = Field(None, description="The items to rank; null for all")
    where: str | None = Field(
        None, description="Only items whose columns fulfil this: genre = 'Drama' and year >= 1990"
    )
    context: dict[str, Category] = Field(
        default_factory=dict, description="Columns that go with the user"
    )


@dataclass(frozen=True)
class _Ready:
    """One version ready to recommend, with the history of the time it went live."""

    number: int
    ranker: Ranker
    history: History


class Recommendations:
    """Recommends with the version that is live.

    Args:
        dataset: The data set.
        root: The workspace, whose prepared data tell what users have met.
    """

    def __init__(self, dataset: str, root: Path = Path()) -> None:
        self._dataset, self._root = dataset, root
        self._lock = threading.Lock()
        self._ready: _Ready | None = None

    def answer(self, live: Live, asked: Request) -> dict[str, Any]:
        """Returns the best items of a user.

        Raises:
            DataError: The request cannot be answered.
            RegistryError: The model does not answer.
        """
        ready = self._of(live)
        ranker, catalogue = ready.ranker, ready.ranker.catalogue
        ranker.check_top(asked.top)
        context = {name: pa.array([value]) for name, value in asked.context.items()}
        users = ranker.users(pa.table({**context, catalogue.user: _ids([asked.user])}))
        given = asked.candidates
        candidates = ranker.candidates(
            None if given is None else pa.table({catalogue.item: _ids(given)})
        )
        if asked.where is not None:
            candidates = ranker.where(candidates, asked.where)
        is_whole = len(candidates) == len(catalogue.items)
        index = catalogue.items if is_whole else Index(values.plain(candidates[catalogue.item]))
        user = users[catalogue.user][0].as_py()
        excluded = _excluded(asked.exclude, user, index, ready.history)
        table = pa.concat_tables(ranker.rank(users, candidates, excluded, asked.top))
        if not len(table):
            raise DataError("Nothing is left to recommend: every candidate is excluded.")
        names = ranker.names
        shown = {"item": names.item, "title": names.title, "score": names.score}
        columns = [name for name in shown.values() if name is not None]
        keys = [key for key, name in shown.items() if name is not None]
        return {
            "version": live.version.number,
            "user": user,
            "reason": table[names.reason][0].as_py(),
            "items": table.select(columns).rename_columns(keys).to_pylist(),
        }

    def warm_up(self, live: Live) -> None:
        """Answers once, so that the first request does not wait for the data to be read."""
        with contextlib.suppress(AutoRecError):
            user = self._of(live).ranker.catalogue.users.texts[0].as_py()
            self.answer(live, Request(user=user, top=1, exclude=SEEN, candidates=None, where=None))

    def history(self, live: Live, user: str) -> dict[str, Any]:
        """Returns what a user has met, the latest first.

        Raises:
            DataError: It is not known here.
            RegistryError: The model does not answer.
        """
        ready = self._of(live)
        items, labels = ready.history.interactions.of(user)
        latest = list(zip(items, labels, strict=True))[: -SHOWN - 1 : -1]
        columns: dict[str, Any] = {"item": [item for item, _ in latest]}
        facts = ready.ranker.facts
        if facts.has_titles:
            columns["title"] = facts.titles(pa.array(columns["item"], pa.string()))
        columns["label"] = [label for _, label in latest]
        shown = pa.table(columns).to_pylist()
        return {"user": user, "count": len(items), "items": shown}

    def _of(self, live: Live) -> _Ready:
        """Returns a version ready to recommend; made again only when another version is live."""
        with self._lock:
            if self._ready is None or self._ready.number != live.version.number:
                history = history_of(self._dataset, self._root)
                ranker = ranker_of(live.version, live.scorer, history)
                self._ready = _Ready(live.version.number, ranker, history)
            return self._ready


def _ids(found: list[Any]) -> pa.Array:
    """Returns ids as text, by the same rules as in a file: 196 and "196" are the same."""
    return pa.array([category(one) for one in found], pa.string())


def _excluded(exclude: str | list[Any], user: str, candidates: Index, history: History) -> Excluded:
    if exclude == SEEN:
        return history.interactions.seen([user], candidates)
    if exclude == NOTHING:
        return Excluded.nothing(1)
    places = candidates.find(_ids(list(exclude)))
    return Excluded.of(np.zeros_like(places), places, 1)
