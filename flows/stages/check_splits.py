"""The check_splits stage: checks the encoded splits with Great Expectations."""

from __future__ import annotations

from flows.config import Params
from flows.data_checks.checks import check_splits
from flows.stages.messages import print_warnings
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Checks the splits. A failed expectation stops the pipeline."""
    warnings = check_splits(
        places.dataset,
        params.dataset(places.dataset),
        places.prepared,
        places.checks / "splits.json",
        places.reports / "splits",
    )
    print_warnings(warnings)
