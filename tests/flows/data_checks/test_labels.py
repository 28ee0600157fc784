"""Ratings of any kind pass the checks; labels that cannot be measured or are given away do not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from entries import ratings_entry

from autorec_core.config import PreprocessParams, SplitParams
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import load_rows
from flows.data_checks.checks import check_raw, check_splits
from flows.report.profile_page import write_profile_page

SETTINGS = PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
SPLIT = SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])
random = np.random.default_rng(0)
LABELS = {
    "minutes": random.exponential(3600, 1000).round(1),
    "average scores": random.normal(3.6, 0.4, 1000).round(4),
    "prices": random.lognormal(4, 1, 1000).round(2),
    "negative": random.normal(-50, 30, 1000),
    "heavy ties": np.r_[np.zeros(700), random.exponential(9, 300)],
    "counts": np.minimum(random.geometric(0.5, 1000), 14.0),
    "outliers": np.r_[random.normal(0, 1, 998), 1e9, -1e12],
    "float noise": np.r_[random.integers(1, 6, 990), 3 + np.arange(10) * 1e-7],
    "one odd star": np.r_[random.integers(1, 6, 999), 4.5],
    "tiny": random.normal(0, 1e-9, 1000),
}


@pytest.fixture
def passed(tmp_path):
    """Has a table pass all data checks; gives the folder of its splits and the warnings."""

    def through(table, entry, split=SPLIT):
        raw = tmp_path / "raw.csv"
        table.to_csv(raw, index=False)
        assert check_raw("mine", entry, raw, tmp_path / "raw.json", tmp_path / "raw") == []
        profile = prepare(entry, split, SETTINGS, 1, raw, tmp_path / "out")
        write_profile_page("mine", profile, tmp_path / "profile.html")
        said = check_splits(
            "mine", entry, tmp_path / "out", tmp_path / "splits.json", tmp_path / "splits"
        )
        return tmp_path / "out", said

    return through


def ratings(label):
    rows = len(label)
    ids = np.random.default_rng(1).integers(0, 30, (2, rows))
    return pd.DataFrame({"user": ids[0], "item": ids[1], "rating": label})


@pytest.mark.parametrize("kind", LABELS)
def test_a_rating_that_is_not_a_handful_of_values_is_split_in_equal_shares(passed, kind):
    shuffled = np.random.default_rng(2).permutation(LABELS[kind])
    entry = ratings_entry(facts={"label_values": None})

    folder, said = passed(ratings(shuffled), entry)

    assert said == []
    every = np.sort(shuffled)
    for part, share in zip(PARTS, (0.8, 0.1, 0.1), strict=True):
        found = load_rows(folder, part)["rating"].to_numpy()
        assert len(found) == pytest.approx(1000 * share, abs=10)
        for end in every[[100, 250, 500, 750, 900]]:
            below = np.mean(every <= end)
            # Within a bin of fifty rows anything may stand where it likes.
            assert np.mean(found <= end) == pytest.approx(below, abs=0.08)
    profile = json.loads((folder / "profile.json").read_text(encoding="utf-8"))
    train = profile["splits"]["train"]
    assert sum(train["label_counts"].values()) in (0, train["rows"])
    assert train["label_quantiles"]["0.5"] == pytest.approx(np.median(shuffled), rel=0.2, abs=9)


def test_a_sample_of_such_ratings_is_from_all_of_their_range(passed):
    label = np.random.default_rng(3).normal(100, 20, 2000)
    folder, _ = passed(ratings(label), ratings_entry(sample=300, facts={"label_values": None}))

    found = np.concatenate([load_rows(folder, part)["rating"] for part in PARTS])
    assert len(found) == 300
    assert np.median(found) == pytest.approx(100, abs=3)
    assert np.std(found) == pytest.approx(20, abs=2)


def clicks(rows, positives, **columns):
    label = np.zeros(rows, int)
    label[np.random.default_rng(4).choice(rows, positives, replace=False)] = 1
    drawn = np.random.default_rng(5)
    table = {
        "site": drawn.integers(0, 20, rows),
        "noise": drawn.normal(size=rows).round(3),
        **{name: column(label) for name, column in columns.items()},
    }
    return pd.DataFrame({"click": label, **table})


def clicks_entry(**changes):
    described = {
        "task": "ctr",
        "label": "click",
        "categorical": ["site"],
        "numeric": ["noise"],
        "user": None,
        "item": None,
        "facts": {"label_values": None},
    }
    return ratings_entry(**{**described, **changes})


def test_a_column_that_gives_the_label_away_is_named(passed):
    table = clicks(
        1000,
        300,
        outcome=lambda label: np.where(label == 1, "sold", "open"),
        paid=lambda label: label * np.random.default_rng(6).integers(1, 900, len(label)),
        hint=lambda label: label + np.random.default_rng(7).normal(0, 1, len(label)),
    )
    entry = clicks_entry(categorical=["site", "outcome"], numeric=["noise", "paid", "hint"])

    _, said = passed(table, entry)

    assert len(said) == 2
    named = " ".join(said)
    assert "The column outcome alone predicts click almost perfectly (AUC 1.0000)" in named
    assert "The column paid alone predicts click almost perfectly" in named
    assert "list it as `ignored`" in named


def test_a_rating_in_other_units_is_named(passed):
    label = np.random.default_rng(8).exponential(60, 1000)
    table = ratings(label).assign(seconds=(label * 60).round(1), age=np.arange(1000) % 50)

    _, said = passed(table, ratings_entry(numeric=["seconds", "age"], facts={"label_values": None}))

    assert len(said) == 1
    assert "The column seconds alone predicts rating almost perfectly" in said[0]


@pytest.mark.parametrize("task", ["ctr", "rating"])
def test_users_and_items_of_chance_give_nothing_away(passed, task):
    label = np.random.default_rng(9).integers(0, 2, 600)
    entry = ratings_entry(task=task, facts={"label_values": None})

    assert passed(ratings(label).assign(user=np.arange(600)), entry)[1] == []


def test_labels_too_rare_for_an_auc_are_said(passed):
    folder, said = passed(clicks(1000, 5), clicks_entry())

    assert "mine: No row of test has click 1: an AUC cannot be computed for it." in said
    assert any("Only 4 of the 800 rows of train have click 1" in one for one in said)
    assert not any("alone predicts" in one for one in said)
    notes = json.loads((folder.parent / "splits.json").read_text(encoding="utf-8"))["notes"]
    assert [f"mine: {note}." for note in notes] == said
