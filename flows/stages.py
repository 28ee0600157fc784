"""The stages that dvc.yaml runs: `python -m flows.stages STAGE DATASET`.

Each reads, calls one function of the core or of the checks, and writes. What goes wrong is one
sentence on stderr and exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from autorec_core.config import Params
from autorec_core.errors import AutoRecError, ConfigError, UnreachableError, listed
from flows.environment import prepare_environment
from flows.paths import Places
from flows.pipeline import ERROR_MARK, UNREACHABLE_CODE


def fetch(params: Params, places: Places) -> None:
    """Put the raw file in place, checked against its SHA-256."""
    from flows.fetch import fetch as fetch_raw

    entry = params.dataset(places.dataset)
    print(fetch_raw(places.dataset, entry, places.raw, root=places.root))


def check_raw(params: Params, places: Places) -> None:
    """Great Expectations on the raw rows."""
    from flows.checks import check_raw as check
    from flows.previous import previous_json

    entry = params.dataset(places.dataset)
    results = places.checks / "raw.json"
    before = previous_json(places.root, results) or {}
    warnings = check(
        places.dataset,
        entry,
        places.raw / entry.file,
        results,
        places.reports / "raw",
        before.get("tally"),
    )
    _report(warnings)


def prepare(params: Params, places: Places) -> None:
    """Split, fit on train, encode."""
    from autorec_core.data.compute import compute_at
    from autorec_core.data.prepare import prepare as prepare_splits
    from flows.profile_page import write_profile_page

    entry = params.dataset(places.dataset)
    with compute_at(params.compute.address) as compute:
        profile = prepare_splits(
            entry,
            params.split,
            params.preprocess,
            params.seed,
            places.raw / entry.file,
            places.prepared,
            compute,
        )
    write_profile_page(places.dataset, profile, places.profile / "index.html")


def check_splits(params: Params, places: Places) -> None:
    """Great Expectations on the splits."""
    from flows.checks import check_splits as check

    warnings = check(
        places.dataset,
        params.dataset(places.dataset),
        places.prepared,
        places.checks / "splits.json",
        places.reports / "splits",
    )
    _report(warnings)


def _report(warnings: list[str]) -> None:
    """Says what the checks found that stops nothing."""
    for warning in warnings:
        print(f"Warning: {warning}")


def search(params: Params, places: Places) -> None:
    """Search for the best recommender on train and valid."""
    from flows.searching import search as search_recommender

    search_recommender(params, places)


def evaluate(params: Params, places: Places) -> None:
    """Score the test rows once, beside the baselines."""
    from flows.evaluating import evaluate as evaluate_winner

    evaluate_winner(params, places)


STAGES: dict[str, Callable[[Params, Places], None]] = {
    stage.__name__: stage for stage in (fetch, check_raw, prepare, check_splits, search, evaluate)
}


def main(arguments: list[str]) -> None:
    """Runs one stage of one data set in the current folder."""
    prepare_environment()
    try:
        if len(arguments) != 2 or arguments[0] not in STAGES:
            raise ConfigError(
                f"Say `python -m flows.stages STAGE DATASET`; stages: {listed(STAGES)}."
            )
        STAGES[arguments[0]](Params.load(), Places(arguments[1]))
    except KeyboardInterrupt:
        sys.exit(130)
    except AutoRecError as error:
        print(
            *(f"{ERROR_MARK}{line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr
        )
        sys.exit(UNREACHABLE_CODE if isinstance(error, UnreachableError) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
