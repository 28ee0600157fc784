"""The check_splits stage: Great Expectations on the encoded splits."""

from __future__ import annotations

from flows.config import Params
from flows.data_checks.checks import check_splits
from flows.stages.messages import print_warnings
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Checks the splits; a failed expectation ends the pipeline here."""
    warnings = check_splits(
        places.dataset,
        params.dataset(places.dataset),
        places.prepared,
        places.checks / "splits.json",
        places.reports / "splits",
    )
    print_warnings(warnings)
