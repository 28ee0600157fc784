"""Collects what the rule needs to know, and plans the next training of a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from autorec_core.data.preparing.tally import drifts
from autorec_core.errors import UnreachableError
from flows.config import Params
from flows.registry.lineage import running_code
from flows.registry.loading import lineage_of
from flows.registry.versions import LIVE, RegistryError, Version, list_versions
from flows.retraining.plan import Plan, changes, deciding
from flows.retraining.rule import Known, choose
from flows.workspace import Places

MODE, REASON, DECIDES, SETTINGS = (
    f"retrain.{name}" for name in ("mode", "reason", "decides", "settings")
)
MOST_FIRST = 3
"""So many known candidates are tried first in a search; the others explore."""
SHARE = 0.25
"""The epochs of a training without a search, as a share of those of the search before it."""
TAG_LENGTH = 5000
"""MLflow's limit for the value of a tag."""


def plan_training(params: Params, places: Places, *, unchanged: bool) -> Plan:
    """Chooses how the next training of a data set is done, and writes the plan.

    Args:
        params: The parameters.
        places: The paths of the data set, whose raw data are checked.
        unchanged: Whether the last training had the same data, parameters and code. The last plan
            then stays, so nothing is trained again.

    Raises:
        UnreachableError: MLflow does not answer, and params.yaml asks for the champion's settings.
        RegistryError: The champion's files cannot be read, and params.yaml asks for its settings.
    """
    asked = params.retrain_mode(places.dataset)
    decides = deciding(params.model_dump(mode="json"), places.dataset)
    last = Plan.load(places.plan)
    if unchanged and last is not None and last.fits(asked, decides):
        return last
    try:
        versions = list_versions(places.dataset, places.root)
        known = learn(params, places, versions, last)
    except (UnreachableError, RegistryError) as error:
        if asked == "settings":
            raise
        plan = Plan("search", asked, f"The champion is not known: {error}", decides=decides)
    else:
        mode, reason = choose(asked, known, params.pipeline.search_every)
        if mode == "settings":
            candidates, schedules = list(known.settings or ()), tuple(known.schedules or ())
        else:
            candidates, schedules = _first(versions, known), ()
        plan = Plan(mode, asked, reason, tuple(candidates), known.champion, decides, schedules)
    plan.save(places.plan)
    return plan


def learn(
    params: Params, places: Places, versions: Sequence[Version], last: Plan | None = None
) -> Known:
    """Returns what is known before a training.

    Args:
        params: The parameters.
        places: The paths of the data set, whose raw data are checked.
        versions: The registered versions, newest first.
        last: The plan of the last training.
    """
    champion = next((version for version in versions if LIVE in version.aliases), None)
    if champion is None:
        return Known()
    newest = versions[0]
    modes = [version.tags.get(MODE, "search") for version in versions]
    since_search = modes.index("search") if "search" in modes else len(modes)
    document = lineage_of(champion, places.root)
    searched = versions[min(since_search, len(versions) - 1)]
    before = document if searched is champion else lineage_of(searched, places.root)
    intervals = document.get("intervals") or {}
    loss = intervals.get("loss", "loss")
    decides = deciding(params.model_dump(mode="json"), places.dataset)
    changed: list[str] = []
    if newest.tags.get(DECIDES) != digest(decides):
        changed = changes(last.decides or {}, decides) if last is not None else []
        changed = changed or ["those of the search"]
    worse = since_search > 0 and newest.number > champion.number
    settings, schedules = settings_of(document, params.train.ensemble)
    return Known(
        champion=champion.number,
        settings=settings,
        schedules=schedules,
        changed=changed,
        other_code=newest.tags.get("code.sha256") != running_code(),
        drift=_drift(before, places),
        allowed_drift=params.dataset(places.dataset).facts.max_psi,
        loss=loss,
        last=newest.number if worse else None,
        last_loss=newest.figures.get(loss) if worse else None,
        loss_limit=intervals.get("losses", {}).get("model", {}).get("high"),
        since_search=since_search,
        wanted=_wanted(places, champion, searched),
        rows=_rows(_checked(places)),
        rows_before=_rows((before.get("checks") or {}).get("raw", {})),
    )


def retrain_tags(params: Params, places: Places) -> dict[str, str]:
    """Returns the tags of a version that say how it was trained, for the runs after it."""
    plan = Plan.load(places.plan)
    decides = deciding(params.model_dump(mode="json"), places.dataset)
    winner = json.loads((places.search / "winner" / "result.json").read_text(encoding="utf-8"))
    settings = json.dumps(winner["hyperparameters"])
    return {
        MODE: "search" if plan is None else plan.mode,
        REASON: "" if plan is None else plan.reason,
        DECIDES: digest(decides),
        **({SETTINGS: settings} if len(settings) <= TAG_LENGTH else {}),
    }


def digest(content: Mapping[str, Any]) -> str:
    """Returns a hash of JSON-serialisable content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _first(versions: Sequence[Version], known: Known) -> list[Mapping[str, Any]]:
    """Returns the candidates that a search tries first: the champion's, then past winners'."""
    found = list((known.settings or ())[:1])
    for version in versions:
        if "promoted.at" in version.tags and SETTINGS in version.tags:
            found.append(json.loads(version.tags[SETTINGS]))
    found += list((known.settings or ())[1:])
    distinct = {json.dumps(one, sort_keys=True): one for one in reversed(found)}
    return list(reversed(distinct.values()))[:MOST_FIRST]


def _wanted(places: Places, champion: Version, searched: Version) -> str | None:
    """Returns why the watch wants a search, if none has been made since it said so."""
    try:
        state = json.loads((places.watch / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if state.get("version") != champion.number or state.get("at", 0) * 1000 < searched.created:
        return None
    wanted: str | None = state.get("wanted")
    return wanted


def settings_of(
    document: Mapping[str, Any], ensemble: int | None
) -> tuple[list[Mapping[str, Any]] | None, list[Mapping[str, Any]] | None]:
    """Returns the settings of a version that are trained again, and how long each was trained.

    After a search these are the best ones whose training needs at most `SHARE` of its epochs, so
    that a training without a search stays cheap even if few candidates were tried.

    Args:
        document: The lineage of the version.
        ensemble: The number of models that params.yaml asks for; None for no such number.
    """
    winner = document.get("winner") or {}
    settings, schedules = winner.get("candidates"), winner.get("schedules")
    if settings is None or schedules is None:
        return settings, None
    kept = len(settings) if ensemble is None else ensemble
    searched = winner.get("searched_epochs")
    if ensemble is None and searched is not None:
        totals = accumulate(len(one["rates"]) / one["parts"] for one in schedules)
        kept = max(1, sum(total <= SHARE * searched for total in totals))
    return settings[:kept], schedules[:kept]


def _drift(document: Mapping[str, Any], places: Places) -> dict[str, float]:
    """Returns the drift of each column since a version's raw data, beyond chance."""
    before = (document.get("checks") or {}).get("raw", {}).get("tally")
    now = _checked(places).get("tally")
    if before is None or now is None:
        return {}
    return {name: drift.beyond_chance for name, drift in drifts(before, now).items()}


def _checked(places: Places) -> dict[str, Any]:
    """Returns the result of the checks of the raw rows; empty if there is none."""
    path: Path = places.checks / "raw.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def _rows(checked: Mapping[str, Any]) -> int | None:
    """Returns the number of raw rows that were checked, if it is known."""
    rows: int | None = (checked.get("tally") or {}).get("rows")
    return rows
