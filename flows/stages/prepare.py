"""The prepare stage: split 8:1:1, fit vocabularies and statistics on train, encode."""

from __future__ import annotations

from autorec_core.data.compute import compute_at
from autorec_core.data.preparing.prepare import prepare
from flows.config import Params
from flows.report.profile_page import write_profile_page
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Writes the encoded splits, the preprocessor and the page of the profile."""
    entry = params.dataset(places.dataset)
    with compute_at(params.compute.address) as compute:
        profile = prepare(
            entry,
            params.split,
            params.preprocess,
            params.seed,
            places.raw / entry.file,
            places.prepared,
            compute,
        )
    write_profile_page(places.dataset, profile, places.profile / "index.html")
