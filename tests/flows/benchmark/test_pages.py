"""The benchmark tables in README and docs match the committed results."""

from __future__ import annotations

import pytest
from project import ROOT

from autorec_core.errors import DataError
from flows.benchmark.pages import COMMITTED, PAGES, filled, tables
from flows.benchmark.result_lines import CELLS, RUNS, TRUTH, TRUTH_RUNS, append, read_lines

RESULTS = ROOT / COMMITTED


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_tables_of_a_page_are_those_of_the_committed_results(page):
    text = (ROOT / page).read_text(encoding="utf-8")

    assert "<!-- benchmark: summary -->" in text
    assert filled(text, tables(RESULTS)) == text, "autorec benchmark --tables --output " + str(
        COMMITTED
    )


def test_committed_results_say_how_they_were_made():
    for lines, runs in ((CELLS, RUNS), (TRUTH, TRUTH_RUNS)):
        known = {run["run"]: run for run in read_lines(RESULTS / runs) if "command" in run}
        for line in read_lines(RESULTS / lines):
            run = known[line["run"]]
            assert run["command"].startswith("autorec benchmark ")
            assert run["versions"]["tensorflow"]
            assert run["machine"]["processors"]


def test_a_part_without_results_is_refused():
    page = "<!-- benchmark: nothing -->\nold\n<!-- end of benchmark: nothing -->"

    with pytest.raises(DataError, match="nothing"):
        filled(page, {"summary": "new"})


def test_half_a_line_of_a_killed_run_is_passed_over_and_not_written_to(tmp_path):
    path = tmp_path / CELLS
    append(path, [{"a": 1}])
    with path.open("a", encoding="utf-8") as file:
        file.write('{"a": 2, "b"')
    assert read_lines(path) == [{"a": 1}]

    append(path, [{"a": 3}])

    assert read_lines(path) == [{"a": 1}, {"a": 3}]
