"""Profiles what a server scores, in a thread of its own, so that answers do not wait for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autorec_core.errors import AutoRecError
from flows.registry.versions import Version
from flows.watching.journal import Journal
from flows.watching.profile import Profile, profile_of
from flows.watching.reference import Reference

logger = logging.getLogger(__name__)

MOST_WAITING = 1000
"""Requests that wait to be profiled. When there are more, requests are not profiled."""
FLUSH_SECONDS = 5.0


@dataclass(frozen=True)
class Scored:
    """One answered request.

    Args:
        version: The version that scored.
        columns: Its raw columns, as lists of plain values.
        scores: Its scores, shape (rows,).
        unknown: Unknown ids and all ids of each column.
        missing: Words that mean "missing".
        seconds: Seconds that the request took.
    """

    version: Version
    columns: Mapping[str, list[Any]]
    scores: np.ndarray
    unknown: Mapping[str, tuple[int, int]]
    missing: tuple[str, ...]
    seconds: float


class Recorder:
    """Collects profiles of scored rows and writes them to the journal every few seconds.

    Args:
        journal: The files of the watch.
        reference_of: Reads the training profile of a version.
        seconds: Seconds between two writes.
    """

    def __init__(
        self,
        journal: Journal,
        reference_of: Callable[[Version], Reference],
        seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._journal, self._reference_of, self._seconds = journal, reference_of, seconds
        self._waiting: queue.Queue[Scored | None] = queue.Queue(MOST_WAITING)
        self._references: dict[int, Reference | None] = {}
        self._held: dict[int, Profile] = {}
        self._written = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self.left_out = 0
        """Requests that were not profiled, because too many were waiting."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Profiles what is waiting, writes everything and ends the thread."""
        self._waiting.put(None)
        self._thread.join(timeout=30)

    def add(self, scored: Scored) -> None:
        """Takes a request to profile it later. Never waits."""
        try:
            self._waiting.put_nowait(scored)
        except queue.Full:
            self.left_out += 1

    def _work(self) -> None:
        while True:
            try:
                scored = self._waiting.get(timeout=self._seconds)
            except queue.Empty:
                self._write()
                continue
            if scored is None:
                self._write()
                return
            self._profile(scored)
            if time.monotonic() - self._written >= self._seconds:
                self._write()

    def _profile(self, scored: Scored) -> None:
        try:
            reference = self._reference(scored.version)
            if reference is None:
                return
            profile = profile_of(
                reference,
                scored.columns,
                scored.scores,
                unknown=scored.unknown,
                missing=scored.missing,
                seconds=scored.seconds,
                at=time.time(),
            )
            self._held.setdefault(scored.version.number, Profile()).merge(profile)
        except Exception as error:  # watching must never end the server, and logs hold no values
            logger.warning("A request was not profiled: %s.", type(error).__name__)

    def _reference(self, version: Version) -> Reference | None:
        """Returns the training profile of a version; None if it cannot be read."""
        if version.number not in self._references:
            try:
                self._references[version.number] = self._reference_of(version)
            except AutoRecError as error:
                logger.warning("Version %s is not watched: %s", version.number, error)
                self._references[version.number] = None
        return self._references[version.number]

    def _write(self) -> None:
        self._written = time.monotonic()
        held, self._held = self._held, {}
        for version, profile in held.items():
            try:
                self._journal.add(version, profile)
            except OSError as error:
                logger.warning("The watch cannot be written: %s", error)
