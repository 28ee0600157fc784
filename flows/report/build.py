"""Builds a run's report if it is out of date, and opens it."""

from __future__ import annotations

import hashlib
import logging
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autorec_core.files import write_text
from flows.config import Params
from flows.tracking import mlflow_runs
from flows.workspace import Places

if TYPE_CHECKING:
    from flows.report.facts import Run

logger = logging.getLogger(__name__)

CARD = "model_card.md"
HEAD = 2000
"""The digest of the facts and the code is within this many characters from the page's start."""


def build_report(places: Places) -> Path:
    """Writes the page and the model card of a data set's last run, if they are out of date.

    Returns:
        The page. Both files are written only if the facts or the code of the report have changed.

    Raises:
        DataError: The pipeline has not evaluated a model of this data set yet.
    """
    return _build(places, _facts(places))


def report_run(places: Places) -> None:
    """Builds page and model card at the end of a run and adds them to the MLflow run and version.

    An error is logged as a warning, so that it does not fail the run.
    """
    try:
        facts = _facts(places)
        page = _build(places, facts)
        card = page.with_name(CARD)
        number = facts.version.number if facts.version else None
        mlflow_runs.attempt(lambda: _publish(places, number, page, card))
    except Exception as error:
        logger.warning("The report was not built (%s: %s).", type(error).__name__, error)


def _facts(places: Places) -> Run:
    from flows.report.collect import collect

    return collect(Params.load(places.root / "params.yaml"), places)


def _build(places: Places, run: Run) -> Path:
    from flows.report.model_card import model_card
    from flows.report.page import facts_as_json, render

    digest = _digest(facts_as_json(run))
    page = places.report
    if not page.exists() or digest not in page.read_text(encoding="utf-8")[:HEAD]:
        write_text(page.with_name(CARD), model_card(run))
        seed = int(run.params["seed"])
        write_text(page, render(run, seed=seed, digest=digest, built=datetime.now(UTC)))
    return page


def _publish(places: Places, number: int | None, page: Path, card: Path) -> None:
    """Adds page and card to the MLflow run of the search, and the card to the version."""
    from flows.registry.versions import client, describe

    if number is not None:
        text = card.read_text(encoding="utf-8")
        describe(client(places.root), places.dataset, number, text)
    run = mlflow_runs.search_run(places)
    if run is not None:
        mlflow_runs.log_figures(places.root, run, {}, [page, card])


def open_report(dataset: str, *, browser: bool) -> Path:
    """Builds the page if it is out of date, and opens it in a browser if `browser` is True."""
    Params.load().dataset(dataset)
    page = build_report(Places(dataset))
    if browser:
        webbrowser.open(page.resolve().as_uri())
    return page


def _digest(facts: str) -> str:
    """Returns a SHA-256 over the facts and all code and templates of the report."""
    digest = hashlib.sha256(facts.encode())
    folder = Path(__file__).parent
    for path in sorted([*folder.rglob("*.py"), *folder.glob("templates/*")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
