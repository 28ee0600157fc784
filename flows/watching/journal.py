"""The files of the watch: profiles of scored rows in windows, and the sums of feedback.

Several servers may write at the same time, so each change happens under a lock. A file appears
whole or not at all. Old windows are dropped, so a file does not grow without limit.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autorec_core.files import write_json
from flows.watching.profile import Profile

WINDOW_ROWS = 1000
MOST_WINDOWS = 48


@dataclass
class Watched:
    """What was seen of one version.

    Args:
        windows: Profiles of at least `WINDOW_ROWS` rows each, oldest first; the last may have less.
        total: The profile of all rows.
    """

    windows: list[Profile] = field(default_factory=list)
    total: Profile = field(default_factory=Profile)

    def add(self, profile: Profile) -> None:
        """Adds rows to the last window, or to a new one if the last is full."""
        self.total.merge(profile)
        if not self.windows or self.windows[-1].rows >= WINDOW_ROWS:
            self.windows.append(Profile())
        self.windows[-1].merge(profile)
        del self.windows[:-MOST_WINDOWS]


class Journal:
    """The watch's folder of one data set.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, version: int, profile: Profile) -> None:
        """Adds the profile of scored rows to those of a version."""
        with self._changed(self._scored(version)) as content:
            watched = _watched(content)
            watched.add(profile)
            content["windows"] = [one.to_dict() for one in watched.windows]
            content["total"] = watched.total.to_dict()

    def scored(self, version: int) -> Watched:
        """Returns what a version has scored."""
        return _watched(_read(self._scored(version)))

    def update_feedback(
        self, version: int, change: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Changes the sums of a version's feedback, and returns them."""
        with self._changed(self._folder / f"feedback-{version}.json") as content:
            change(content)
        return content

    def feedback(self, version: int) -> dict[str, Any]:
        """Returns the sums of a version's feedback; empty if there is none."""
        return _read(self._folder / f"feedback-{version}.json")

    def _scored(self, version: int) -> Path:
        return self._folder / f"scored-{version}.json"

    @contextmanager
    def _changed(self, path: Path) -> Iterator[dict[str, Any]]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
            content = _read(path)
            yield content
            write_json(path, content)


def _watched(content: Mapping[str, Any]) -> Watched:
    return Watched(
        [Profile.from_dict(one) for one in content.get("windows", [])],
        Profile.from_dict(content.get("total", {})),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:  # a disk that was full: counting starts again
        return {}
    return found if isinstance(found, dict) else {}
