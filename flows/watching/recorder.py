"""Profiles what a server scores, in a thread of its own, so that answers do not wait for it."""

from __future__ import annotations

import logging
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

MOST_ROWS = 100_000
"""Rows that wait to be profiled. Requests with more are not profiled."""
PAUSE_SECONDS = 0.25
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
        self._lock = threading.Lock()
        self._waiting: list[Scored] = []
        self._rows = 0
        self._ending = threading.Event()
        self._references: dict[int, Reference | None] = {}
        self._held: dict[int, Profile] = {}
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self.left_out = 0
        """Requests that were not profiled, because too many were waiting."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Profiles what is waiting, writes everything and ends the thread."""
        self._ending.set()
        self._thread.join(timeout=30)

    def add(self, scored: Scored) -> None:
        """Takes a request to profile it later. Never waits."""
        with self._lock:
            if self._rows + len(scored.scores) <= MOST_ROWS:
                self._rows += len(scored.scores)
                self._waiting.append(scored)
            else:
                self.left_out += 1

    def _work(self) -> None:
        written = time.monotonic()
        while not self._ending.wait(PAUSE_SECONDS):
            self._profile_all()
            if time.monotonic() - written >= self._seconds:
                self._write()
                written = time.monotonic()
        self._profile_all()
        self._write()

    def _profile_all(self) -> None:
        """Profiles all waiting requests, those of a version at once: one by one costs far more."""
        with self._lock:
            waiting, self._waiting, self._rows = self._waiting, [], 0
        versions: dict[int, list[Scored]] = {}
        for scored in waiting:
            versions.setdefault(scored.version.number, []).append(scored)
        for together in versions.values():
            try:
                self._profile(together)
            except Exception as error:  # watching must never end the server; logs hold no values
                logger.warning(
                    "%s requests were not profiled: %s.", len(together), type(error).__name__
                )

    def _profile(self, together: list[Scored]) -> None:
        """Profiles requests of one version."""
        first = together[0]
        reference = self._reference(first.version)
        if reference is None:
            return
        unknown: dict[str, tuple[int, int]] = {}
        for scored in together:
            for name, (count, total) in scored.unknown.items():
                before, all_before = unknown.get(name, (0, 0))
                unknown[name] = (before + count, all_before + total)
        profile = profile_of(
            reference,
            {
                name: [value for scored in together for value in scored.columns[name]]
                for name in first.columns
            },
            np.concatenate([scored.scores for scored in together]),
            unknown=unknown,
            missing=first.missing,
            seconds=[scored.seconds for scored in together],
            at=time.time(),
        )
        self._held.setdefault(first.version.number, Profile()).merge(profile)

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
        held, self._held = self._held, {}
        for version, profile in held.items():
            try:
                self._journal.add(version, profile)
            except OSError as error:
                logger.warning("The watch cannot be written: %s", error)
