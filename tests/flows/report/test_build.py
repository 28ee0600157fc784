"""A report that cannot be built is a warning and never the end of a run."""

from __future__ import annotations

import logging

import pytest

from autorec_core.errors import DataError
from flows.report.build import build_report, report_run
from flows.workspace import Places


@pytest.fixture
def places(make_workspace) -> Places:
    return Places("movielens-100k", make_workspace(lambda params: None))


def test_a_report_without_a_run_says_how_to_get_one(places):
    with pytest.raises(DataError, match=r"dvc\.lock has no evaluated model"):
        build_report(places)


def test_a_run_goes_on_without_its_report(places, caplog):
    with caplog.at_level(logging.WARNING, logger="flows.report.build"):
        report_run(places)

    assert "The report was not built (DataError: " in caplog.text
    assert not places.report.exists()
