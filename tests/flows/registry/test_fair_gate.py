"""A champion is not judged on rows it learned from: a new split gives it no head start.

The champion here has learned its rows by heart and is 1 off on any other; the challenger is 0.5 off
everywhere. Scores are made up; splits, records, files, tags and aliases are real.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_rows, load_schema
from autorec_core.evaluation.intervals import clusters_of
from flows.config import Params
from flows.registry import gate, run_gate, smoke_test
from flows.registry.guards import JudgedRows, Latency, ModelScores
from flows.registry.loading import learned_rows
from flows.registry.run_gate import Evidence, apply_gate
from flows.registry.smoke_test import Probed

pytestmark = pytest.mark.slow
DATASET = "small"
KEY = ["user_id", "item_id", "timestamp"]
NOWHERE = 0.0
"""What the constant predictor says: no rating is near it, so that both models beat it."""
LEARNED = ("rows_train.parquet", "rows_valid.parquet")


@pytest.fixture(scope="module")
def params(registry):
    return Params.load(registry.root / "params.yaml")


@pytest.fixture(scope="module")
def splits(params, tmp_path_factory):
    """A split, and one with another seed and a few rows more."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("nights")
    rows = pd.DataFrame(
        {
            "user_id": random.integers(1, 60, 12100),
            "item_id": random.integers(1, 40, 12100),
            "rating": random.integers(2, 5, 12100),
            "timestamp": np.arange(12100) + 880_000_000,
        }
    )
    made = []
    for night, count, seed in (("first", 12000, 1), ("second", 12100, 2)):
        raw = folder / night / "u.data"
        raw.parent.mkdir()
        rows.head(count).to_csv(raw, sep="\t", header=False, index=False)
        made.append(folder / night / "prepared")
        entry = params.dataset(DATASET)
        prepare(entry, params.split, params.preprocess, seed, raw, made[-1])
    return made


class Night:
    """What is judged on one split, and how the two models score.

    Args:
        folder: The prepared split.
        known: The rows that the champion has learned by heart.
        params: The settings.
    """

    def __init__(self, folder, known, params):
        rows = load_rows(folder, "test")
        here = pd.MultiIndex.from_frame(rows[KEY])
        self.seen = here.isin(pd.MultiIndex.from_frame(known[KEY]))
        label = rows["rating"].to_numpy(float)
        self.champion = label + ~self.seen
        self.challenger = label + 0.5
        few = self.seen.copy()
        few[np.flatnonzero(~few)[:3]] = True
        segments = {"all": np.ones(len(rows), bool), "mostly seen": few}
        night = folder.parent.name
        schema = load_schema(folder)
        self.evidence = Evidence(schema, rows, segments, (4, 4), night, NOWHERE)
        self.policy = params.registry


@pytest.fixture(scope="module")
def nights(splits, params):
    known = pd.concat([load_rows(splits[0], part) for part in ("train", "valid")])
    return [Night(folder, known, params) for folder in splits]


@pytest.fixture
def hold(registry, monkeypatch):
    def held(number, night, **changes):
        scores = {1: night.champion, 2: night.challenger} | changes.pop("scores", {})
        monkeypatch.setattr(
            run_gate,
            "smoke_test",
            lambda version, *_: Probed(scores[version.number], lambda calls: 1.0),
        )
        evidence = dataclasses.replace(night.evidence, **changes)
        return apply_gate(DATASET, number, evidence, night.policy, seed=0, root=registry.root)

    return held


@pytest.fixture(scope="module")
def champion(registry, splits):
    record = LearnedRows.of([splits[0] / name for name in LEARNED])
    return registry.register(registry.models.bad, record)


@pytest.fixture(scope="module")
def challenger(registry, champion):
    return registry.register(registry.models.bad)


def test_on_the_champions_own_split_all_rows_count_and_nothing_is_said(
    registry, champion, challenger, nights, hold
):
    first, _ = nights
    assert hold(champion, first).promotes
    worse = first.champion + 0.1

    decision = hold(challenger, first, scores={2: worse})

    labels = first.evidence.rows["rating"].to_numpy(float)
    shown = [
        ModelScores(
            number,
            scores,
            np.square(scores - labels),
            int(registry.version(number).tags["size"]),
        )
        for number, scores in ((champion, first.champion), (challenger, worse))
    ]
    rows = JudgedRows(
        "rating",
        labels,
        first.evidence.segments,
        clusters_of(first.evidence.rows["user_id"]),
        np.square(labels - NOWHERE),
    )
    latency = Latency(1.0, 1.0, smoke_test.PAIRS)
    assert not first.seen.any()
    assert decision == gate.judge(
        *shown, rows, first.policy, latency=latency, data_checks=(4, 4), seed=0
    )
    assert not decision.promotes
    assert "| test rows |" not in decision.markdown()


def test_most_rows_of_the_next_split_are_rows_the_champion_learned_from(nights):
    assert 0.8 < nights[1].seen.mean() < 0.95
    # So on all rows the champion would stay: its loss is less than the challenger's 0.25.
    assert np.square(nights[1].champion - nights[1].evidence.rows["rating"]).mean() < 0.2


def test_a_champion_without_a_record_is_judged_on_all_rows_and_the_table_says_so(
    registry, champion, challenger, nights, hold, monkeypatch
):
    monkeypatch.setattr(run_gate, "learned_rows", lambda version, root: None)

    decision = hold(challenger, nights[1], data="without a record")

    assert registry.champion() == champion
    assert "| test rows |  |  |  | yes | all " in decision.markdown()
    assert "version 1 has no record of the rows it learned from" in decision.markdown()
    assert decision.checks[0].champion == pytest.approx((~nights[1].seen).mean())


def test_a_challenger_that_cannot_score_a_row_left_out_does_not_go_live(
    registry, champion, challenger, nights, hold
):
    holed = nights[1].challenger.copy()
    holed[np.flatnonzero(nights[1].seen)[0]] = np.nan

    decision = hold(challenger, nights[1], data="with a hole", scores={2: holed})

    assert "some of its scores are not finite numbers" in decision.markdown()
    assert registry.champion() == champion


def test_a_better_challenger_goes_live_although_the_champion_knows_most_rows_by_heart(
    registry, champion, challenger, nights, hold
):
    record = learned_rows(registry.version(champion), registry.root)
    assert record.find_learned(nights[1].evidence.rows)[1].tolist() == nights[1].seen.tolist()
    count, known = len(nights[1].seen), int(nights[1].seen.sum())

    decision = hold(challenger, nights[1])

    checks = {check.name: check for check in decision.checks}
    assert (checks["loss"].champion, checks["loss"].challenger) == (1.0, 0.25)
    assert checks["test rows"].detail == (
        f"{count - known} of {count:,} are used: version 1 learned from {known:,} of them"
    )
    # Three rows of a segment are no segment.
    assert checks["loss within a segment"].detail == "all, the closest to its limit (1 compared)"
    assert checks["calibration error"].champion == pytest.approx(1.0)
    assert f"on the {count - known} test rows that the champion has not learned from" in str(
        decision
    )
    assert registry.champion() == challenger
    assert registry.version(challenger).tags["gate"] == decision.to_json()
