"""The check_raw stage: checks the raw rows with Great Expectations."""

from __future__ import annotations

from flows.config import Params
from flows.data_checks.checks import check_raw
from flows.stages.messages import print_warnings
from flows.stages.previous_outputs import previous_json
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Checks the raw rows. A failed expectation stops the pipeline."""
    entry = params.dataset(places.dataset)
    results = places.checks / "raw.json"
    before = previous_json(places.root, results) or {}
    warnings = check_raw(
        places.dataset,
        entry,
        places.raw / entry.file,
        results,
        places.reports / "raw",
        before.get("tally"),
    )
    print_warnings(warnings)
