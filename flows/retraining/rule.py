"""The rule by which `pipeline.retrain: auto` chooses a mode. It is written only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autorec_core.errors import listed
from flows.retraining.plan import Mode

MOST_CHANGE = 2.0
"""By which factor the number of rows may change until a search looks for other settings. Known
settings are trained for as many epochs as before, and that number was found on other rows."""


@dataclass(frozen=True)
class Known:
    """What is known of the champion, the last runs and the new data.

    Args:
        champion: Number of the live version; None if there is none.
        settings: Hyperparameters of each candidate that the champion averages, best first; None if
            it was registered without them.
        schedules: How long each of them was trained; None if it was registered without that.
        changed: Names of deciding parameters that have changed since the newest version.
        other_code: Whether the newest version was made by other code than this.
        drift: The drift of columns since the data of the last search, beyond chance, by column.
        allowed_drift: The most drift that needs no search; None for any.
        loss: Name of the loss.
        last: Number of the last version that was trained without a search after the champion.
        last_loss: Its test loss.
        loss_limit: Upper end of the interval of the champion's test loss.
        since_search: Number of versions since the last search.
        wanted: Why the watch on live traffic asks for a search; None if it does not.
        rows: Number of raw rows now; None if that is not known.
        rows_before: Number of raw rows at the last search.
    """

    champion: int | None = None
    settings: Sequence[Mapping[str, Any]] | None = None
    schedules: Sequence[Mapping[str, Any]] | None = None
    changed: Sequence[str] = ()
    other_code: bool = False
    drift: Mapping[str, float] = field(default_factory=dict)
    allowed_drift: float | None = None
    loss: str = "loss"
    last: int | None = None
    last_loss: float | None = None
    loss_limit: float | None = None
    since_search: int = 0
    wanted: str | None = None
    rows: int | None = None
    rows_before: int | None = None


def choose(asked: str, known: Known, search_every: int | None) -> tuple[Mode, str]:
    """Chooses the mode of a run.

    Args:
        asked: The mode in params.yaml: "auto" or the mode itself.
        known: What is known before the training.
        search_every: With "auto", every such run is a search; None for no such limit.

    Returns:
        The mode, and the reason as a sentence.
    """
    if asked == "search":
        return "search", "params.yaml asks for a search."
    if known.champion is None:
        return "search", "There is no champion yet, so there are no settings to train again."
    if known.settings is None or known.schedules is None:
        missing = "of its settings" if known.settings is None else "of how long it was trained"
        return "search", f"Version {known.champion}, the champion, has no record {missing}."
    if asked != "auto":
        return "settings", "params.yaml asks for the champion's settings."
    reason = _reason_to_search(known, search_every)
    if reason is not None:
        return "search", reason
    runs = known.since_search + 1
    every = "" if search_every is None else f", run {runs} of {search_every} since the last search"
    return "settings", f"Nothing calls for a search since version {known.champion}{every}."


def _reason_to_search(known: Known, search_every: int | None) -> str | None:
    """Returns why the champion's settings do not suffice, as a sentence; None if they do."""
    if known.changed:
        return f"Parameters have changed since the last run: {listed(known.changed)}."
    if known.other_code:
        return "AutoRec's code has changed since the last run."
    if known.wanted is not None:
        return known.wanted
    allowed = known.allowed_drift
    drifted = {n: v for n, v in known.drift.items() if allowed is not None and v > allowed}
    if drifted:
        named = ", ".join(f"{name} {value:.3g}" for name, value in drifted.items())
        return (
            f"Columns have drifted since the last search, by their PSI beyond chance: {named}. "
            f"At most {allowed:g} is allowed (facts.max_psi)."
        )
    if known.rows and known.rows_before:
        change = known.rows / known.rows_before
        if max(change, 1 / change) > MOST_CHANGE:
            return (
                f"The number of raw rows has changed from {known.rows_before:,} to {known.rows:,} "
                f"since the last search, by more than a factor of {MOST_CHANGE:g}."
            )
    loss, limit = known.last_loss, known.loss_limit
    if loss is not None and limit is not None and loss > limit:
        return (
            f"Version {known.last}, trained without a search, has a test {known.loss.upper()} of "
            f"{loss:.4f}. The interval of the champion, version {known.champion}, ends at "
            f"{limit:.4f}."
        )
    if search_every is not None and known.since_search + 1 >= search_every:
        return f"One run in {search_every} is a search (pipeline.search_every)."
    return None
