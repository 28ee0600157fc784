"""The profile's page needs no network, contains no ids, and is deterministic."""

from __future__ import annotations

import re

from flows.report.profile_page import write_profile_page


def part(rows, unknown):
    return {
        "rows": rows,
        "label_mean": 0.25,
        "label_counts": {"0": rows * 3 // 4, "1": rows // 4},
        "categories": {"site": 7, "<b>": 2},
        "unknown_rate": {"site": unknown, "<b>": 0.0},
        "top": {"site": [{"hash": "aa11", "share": 0.5}], "<b>": []},
        "missing_rate": {"age": 0.0},
        "quantiles": {
            "age": {"0": 1, "0.01": 2, "0.25": 3, "0.5": 4, "0.75": 5, "0.99": 6, "1": 7}
        },
    }


PROFILE = {
    "split": {"strategy": "stratified", "ratios": [0.8, 0.1, 0.1], "seed": 3},
    "bad_rows": 2,
    "tables": {"users": 40},
    "splits": {"train": part(800, 0.0), "valid": part(100, 0.125), "test": part(100, 0.5)},
}


def test_the_page_shows_figures_and_plots_and_needs_nothing_from_elsewhere(tmp_path):
    write_profile_page("mine", PROFILE, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "The side table users has 40 rows." in text

    assert text.count("<svg") == 3
    assert "<td>800</td>" in text
    assert "12.5%" in text
    assert "aa11" in text
    assert "2 bad rows were left out" in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert not re.search(r"<(script|link|img)", text)
    assert len(text) < 200_000


def test_the_same_figures_make_the_same_page(tmp_path):
    for name in ("a", "b"):
        write_profile_page("mine", PROFILE, tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_data_without_categories_or_numbers_have_a_page_too(tmp_path):
    bare = {"label_counts": {}, "categories": {}, "unknown_rate": {}, "top": {}, "quantiles": {}}
    splits = {name: {**one, **bare} for name, one in PROFILE["splits"].items()}
    write_profile_page("mine", {**PROFILE, "splits": splits}, tmp_path / "index.html")

    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<svg") == 1
