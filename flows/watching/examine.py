"""Examines what the live model has scored since the last time, and remembers what was found."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autorec_core.files import write_json
from flows.watching.alarms import Alarm, alarms_of, label_alarms, loss_alarms
from flows.watching.feedback import LiveLoss
from flows.watching.journal import Journal, Watched
from flows.watching.reference import Reference

STATE = "state.json"
"""Names the version, how far its windows were examined, and why a search is wanted, or null."""


@dataclass(frozen=True)
class Examined:
    """What the watch knows of a live version.

    Args:
        version: Number of the version.
        watched: What it has scored.
        live: Its loss on rows whose labels came later; None without such rows.
        reference: Its training profile.
        usual: The share of unknown ids by column in the test split.
        alarms: What differs from training: in windows since the last time, or in all labels.
        news: Whether there is an alarm that the last time had not.
    """

    version: int
    watched: Watched
    live: LiveLoss | None
    reference: Reference
    usual: dict[str, float]
    alarms: tuple[Alarm, ...]
    news: bool

    @property
    def reason(self) -> str | None:
        """Why the next training should be a search, as a sentence; None if nothing differs."""
        if not self.alarms:
            return None
        return f"Live rows of version {self.version} differ: {'; '.join(map(str, self.alarms))}."


def examine(
    folder: Path,
    version: int,
    reference: Reference,
    usual: dict[str, float],
    max_psi: float,
) -> Examined:
    """Examines the windows that have been filled since the last time, and all labels.

    Args:
        folder: The watch's folder of the data set.
        version: Number of the live version.
        reference: Its training profile.
        usual: The share of unknown ids by column in the test split.
        max_psi: The largest PSI beyond chance that is allowed.
    """
    journal = Journal(folder)
    watched, live = journal.scored(version), LiveLoss.of(journal.feedback(version))
    state = _state(folder, version)
    since = state.get("examined", 0.0)
    found: dict[tuple[str, str], Alarm] = {}
    # The last window may have grown since, so it is examined again.
    new = [one for one in watched.windows if one.began >= since]
    for window in new:
        for alarm in alarms_of(window, reference, usual, max_psi):
            known = found.get((alarm.check, alarm.name))
            if known is None or alarm.size > known.size:
                found[alarm.check, alarm.name] = alarm
    if live is not None:
        later = (*label_alarms(live.labels, reference, max_psi), *loss_alarms(live, reference))
        found.update({(alarm.check, alarm.name): alarm for alarm in later})
    earlier = {tuple(one) for one in state.get("alarms", [])}
    news = bool(set(found) - earlier)
    examined = Examined(version, watched, live, reference, usual, tuple(found.values()), news)
    kept = sorted(set(found) | earlier)
    write_json(
        folder / STATE,
        {
            "version": version,
            "examined": watched.windows[-1].began if watched.windows else since,
            "alarms": [list(one) for one in kept],
            "wanted": examined.reason or state.get("wanted"),
            "at": time.time() if news else state.get("at", 0.0),
        },
    )
    return examined


def _state(folder: Path, version: int) -> dict[str, Any]:
    """Returns what the last examination of this version has left; empty if there was none."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and state.get("version") == version else {}
