"""The gate's arithmetic, on numbers worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from autorec_core.evaluation.figures import row_losses
from flows.config import RegistryParams
from flows.registry.decision import Decision
from flows.registry.gate import Unreadable, compare, judge
from flows.registry.guards import JudgedRows, Latency, ModelScores

TOLERANCES = {"calibration": 0.05, "segment_loss": 0.05, "latency": 1.0, "size": 1.0}
COUNT = 200
LABELS = np.tile([2.0, 4.0], COUNT // 2)
"""Mean absolute deviation 1: a calibration error may be 0.05 higher."""
ROWS = JudgedRows(
    "rating",
    LABELS,
    {"user rare": np.arange(COUNT) < 100, "user frequent": np.arange(COUNT) >= 100},
    None,
    np.ones(COUNT),
)
EQUALLY_FAST = Latency(5.0, 1.0, 15)


def policy(**changes):
    settings = {
        "mode": "auto",
        "min_improvement": 0.0,
        "unreadable_champion": "keep",
        "min_test_rows": 100,
        "min_test_users": 10,
        "min_segment_rows": 1,
        "tolerances": TOLERANCES,
    }
    return RegistryParams.model_validate(settings | changes)


def shown(number, off, *, size=1_000_000, rows=ROWS):
    """A model whose scores are wrong by this much, up and down in turn."""
    sign = np.tile([1.0, 1.0, -1.0, -1.0], len(rows.labels) // 4 + 1)[: len(rows.labels)]
    scores = rows.labels + sign * off
    return ModelScores(number, scores, row_losses(rows.task, rows.labels, scores), size)


def decide(champion, challenger, *, checks=(5, 5), latency=EQUALLY_FAST, rows=ROWS, **changes):
    return judge(
        champion,
        challenger,
        rows,
        policy(**changes),
        latency=latency,
        data_checks=checks,
        seed=0,
    )


def failed(decision):
    return [check.name for check in decision.checks if not check.passed]


def test_a_constant_difference_has_an_interval_of_no_width():
    champion = np.array([1.0, 2.0, 3.0, 6.0])

    found = compare(champion, champion - 0.25, seed=0)

    assert (found.champion, found.challenger) == (3.0, 2.75)
    assert (found.low, found.high) == (-0.25, -0.25)
    assert found.wins(0.0)
    assert found.wins(0.24)
    assert not found.wins(0.25)


def test_with_many_rows_the_interval_is_the_normal_one_and_the_reach_of_three_rows():
    differences = np.random.default_rng(1).normal(-0.01, 1.0, 4000)

    found = compare(np.zeros(4000), differences, seed=0)

    reach = 3 * np.abs(differences - differences.mean()).max() / 4003
    half = 1.96 * differences.std() / np.sqrt(4000) + reach
    assert found.low == pytest.approx(differences.mean() - half, abs=0.003)
    assert found.high == pytest.approx(differences.mean() + half, abs=0.003)
    assert not found.wins(0.0)


def test_rows_of_one_user_do_not_count_as_rows_of_many():
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(20), 200)
    differences = random.normal(0, 1, 20)[users] - 0.2

    apart, together = (compare(np.zeros(4000), differences, 0, by) for by in (None, users))

    assert together.high - together.low > 5 * (apart.high - apart.low)


def test_the_same_losses_never_win():
    decision = decide(shown(1, 0.5), shown(2, 0.5))

    assert not decision.promotes
    assert str(decision).startswith("Version 1 stays champion: version 2 fails on loss")


def test_a_better_challenger_wins_and_says_by_how_much():
    decision = decide(shown(1, 1.0), shown(2, 0.5))

    assert decision.promotes
    assert str(decision) == (
        "Version 2 is the new champion: loss 0.2500 against the champion's 1.0000, difference "
        "-0.7500 (95% interval -0.7500 to -0.7500)."
    )


@pytest.mark.parametrize(("rows", "users", "promoted"), [(100, 10, 1), (99, 10, 0), (100, 9, 0)])
def test_with_too_few_rows_or_users_nothing_goes_live(rows, users, promoted):
    few = dataclasses.replace(
        ROWS,
        labels=LABELS[:rows],
        segments={},
        users=np.arange(rows) % users,
        constant_losses=np.ones(rows),
    )
    challenger = shown(2, 0.1, rows=few)

    for champion in (shown(1, 1.0, rows=few), None):
        decision = decide(champion, challenger, rows=few)
        assert decision.promotes == bool(promoted)
        assert failed(decision) == ([] if promoted else ["enough test rows"])
    assert ("100 rows (needed: 100)" in decision.markdown()) == (rows == 100)


def test_with_hardly_a_click_nothing_goes_live():
    labels = np.zeros(1000)
    labels[:9] = 1.0
    rows = JudgedRows("ctr", labels, {}, None, np.full(1000, 0.1))
    before, after = (
        ModelScores(number, scores, row_losses("ctr", labels, scores), 1)
        for number, scores in ((1, np.full(1000, 0.02)), (2, np.full(1000, 0.004)))
    )

    assert "enough test rows" in failed(decide(before, after, rows=rows))
    assert "9 rows of the rarer label (needed: 10)" in decide(before, after, rows=rows).markdown()


def test_a_segment_is_held_against_itself():
    off = np.where(ROWS.segments["user rare"], 4.0, 0.5)
    shifted = np.where(ROWS.segments["user rare"], 0.5, 1.9)

    decision = decide(shown(1, off), shown(2, shifted))

    # The worst segment's loss falls from 16 to 3.61, but that of frequent users was 0.25.
    assert failed(decision) == ["loss within a segment"]
    assert "worse in user frequent" in str(decision)


def test_a_segment_may_be_worse_up_to_its_tolerance():
    rare = ROWS.segments["user rare"]
    within, beyond = (np.where(rare, 0.1, np.sqrt(1 + share)) for share in (0.0499, 0.0501))

    assert decide(shown(1, 1.0), shown(2, within)).promotes
    assert failed(decide(shown(1, 1.0), shown(2, beyond))) == ["loss within a segment"]


@pytest.mark.parametrize("scale", [0.001, 1.0, 25.0])
def test_the_calibration_tolerance_goes_with_the_labels_scale(scale):
    rows = dataclasses.replace(ROWS, labels=LABELS * scale, segments={})
    champion = shown(1, 0.0, rows=rows)

    def challenger(shift):
        scores = rows.labels + shift * scale
        return ModelScores(2, scores, row_losses("rating", rows.labels, scores), 1)

    assert failed(decide(champion, challenger(0.0499), rows=rows)) == ["loss"]
    assert failed(decide(champion, challenger(0.0501), rows=rows)) == ["loss", "calibration error"]


def test_the_calibration_guard_works_if_clicks_are_rare():
    random = np.random.default_rng(0)
    labels = np.zeros(20_000)
    labels[random.permutation(20_000)[:40]] = 1.0
    rows = JudgedRows("ctr", labels, {}, None, np.full(20_000, 0.1))
    ranked = np.where(labels == 1, 0.01, 0.0002)  # knows the clicks, and says four times too few
    fair = np.full(20_000, 0.002)
    before, after = (
        ModelScores(number, scores, row_losses("ctr", labels, scores), 1)
        for number, scores in ((1, fair), (2, ranked / 5))
    )

    assert after.losses.mean() < before.losses.mean()
    assert "calibration error" in failed(decide(before, after, rows=rows))


@pytest.mark.parametrize(
    ("latency", "passes"),
    [
        (Latency(5.0, 2.0, 15), True),
        (Latency(5.0, 2.01, 15), False),
        (Latency(0.1, 10.9, 15), True),  # less than a millisecond more
        (Latency(0.1, 11.1, 15), False),
        (Latency(float("nan"), float("nan"), 0, "its process has ended"), False),
    ],
)
def test_the_latency_may_double_or_grow_by_a_millisecond(latency, passes):
    decision = decide(shown(1, 1.0), shown(2, 0.5), latency=latency)

    assert failed(decision) == ([] if passes else ["latency of one row, ms"])


def test_a_model_of_more_than_its_size_is_stopped():
    assert decide(shown(1, 1.0), shown(2, 0.5, size=2_000_000)).promotes
    decision = decide(shown(1, 1.0), shown(2, 0.5, size=2_000_001))

    assert failed(decision) == ["size, MB"]
    assert "size, MB" in str(decision)


def test_failed_data_checks_stop_even_the_first_model():
    assert decide(None, shown(1, 0.5)).promotes
    assert not decide(None, shown(1, 0.5), checks=(4, 5)).promotes
    assert not decide(None, shown(1, 0.5), checks=(0, 0)).promotes


@pytest.mark.parametrize("off", [6.0, 1.0, 1.001])
@pytest.mark.parametrize("champion", [None, Unreadable(1, "no such file")])
def test_without_a_champions_scores_the_constant_predictor_must_be_beaten(champion, off):
    decision = decide(champion, shown(2, off), unreadable_champion="replace")

    assert failed(decision) == ["loss compared with a constant"]
    assert "against a constant's 1.0000" in str(decision)


def test_a_challenger_that_scores_nan_never_wins():
    hole = np.full(COUNT, 0.1)
    hole[-1] = np.nan
    assert not decide(None, shown(1, hole)).promotes
    assert not decide(shown(1, 1.0), shown(2, hole)).promotes


@pytest.mark.parametrize(
    "champion", [Unreadable(1, "no such file"), shown(1, np.append(np.ones(COUNT - 1), np.nan))]
)
def test_an_unreadable_champion_is_replaced_only_if_the_policy_says_so(champion):
    replaced = decide(champion, shown(2, 0.5), unreadable_champion="replace")
    kept = decide(champion, shown(2, 0.5))

    assert replaced.promotes
    assert "champion version 1 cannot be scored" in str(replaced)
    assert not kept.promotes
    assert str(kept).startswith(
        "Version 1 stays champion: version 2 fails on readable champion "
        "(registry.unreadable_champion is keep). Champion version 1 cannot be scored ("
    )


def test_a_decision_is_the_same_after_json():
    decision = decide(shown(1, 1.0), shown(2, 0.5), latency=Latency(5.0, 19.8, 15))

    again = Decision.from_json(decision.to_json())

    assert again == decision
    assert str(again) == str(decision)
    assert decision.rows()[0]["passed"] == "yes"
    assert "| latency of one row, ms | 5 | 99 | 10 | NO |" in decision.markdown()
