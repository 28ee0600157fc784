"""The gate's arithmetic, on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from flows.config import RegistryParams
from flows.registry.decision import Decision
from flows.registry.gate import GROUPS, Showing, Unreadable, compare, judge, showing

TOLERANCES = {"calibration": 0.02, "segment_loss": 0.05, "latency": 1.0, "size": 1.0}


def policy(**changes):
    settings = {
        "mode": "auto",
        "min_improvement": 0.0,
        "unreadable_champion": "replace",
        "min_segment_rows": 1,
        "tolerances": TOLERANCES,
    }
    return RegistryParams.model_validate(settings | changes)


def shown(number, losses, **changes):
    facts = {
        "calibration": 0.1,
        "segments": {"user rare": 1.0, "user frequent": 0.5},
        "latency": 5.0,
        "size": 1_000_000,
    }
    return Showing(number, np.asarray(losses, float), **(facts | changes))


def decide(champion, challenger, *, checks=(5, 5), **changes):
    return judge(champion, challenger, policy(**changes), data_checks=checks, seed=0)


def test_a_constant_difference_has_an_interval_of_no_width():
    champion = np.array([1.0, 2.0, 3.0, 6.0])

    found = compare(champion, champion - 0.25, seed=0)

    assert (found.champion, found.challenger) == (3.0, 2.75)
    assert (found.low, found.high) == (-0.25, -0.25)
    assert found.wins(0.0)
    assert found.wins(0.24)
    assert not found.wins(0.25)


def test_the_interval_is_that_of_the_normal_approximation_where_rows_are_many():
    differences = np.random.default_rng(1).normal(-0.01, 1.0, 4000)

    found = compare(np.zeros(4000), differences, seed=0)

    half = 1.96 * differences.std() / np.sqrt(4000)
    assert found.low == pytest.approx(differences.mean() - half, abs=0.003)
    assert found.high == pytest.approx(differences.mean() + half, abs=0.003)
    assert not found.wins(0.0)


def test_grouped_rows_give_the_same_interval_as_rows():
    rows = 5 * GROUPS
    differences = np.random.default_rng(2).normal(-0.02, 1.0, rows)

    found = compare(np.zeros(rows), differences, seed=0)

    half = 1.96 / np.sqrt(rows)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert found.wins(0.0)


def test_the_same_losses_never_win():
    losses = np.linspace(0, 1, 50)

    decision = decide(shown(1, losses), shown(2, losses))

    assert not decision.promotes
    assert str(decision).startswith("Version 1 stays champion: version 2 fails on loss")


def test_a_better_challenger_wins_and_says_by_how_much():
    decision = decide(shown(1, [1.0] * 50), shown(2, [0.5] * 50))

    assert decision.promotes
    assert str(decision) == (
        "Version 2 is the new champion: loss 0.5000 against the champion's 1.0000, difference "
        "-0.5000 (95% interval -0.5000 to -0.5000)."
    )


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"calibration": 0.12001}, "calibration error"),
        ({"segments": {"item unknown": 1.0501}}, "worst segment's loss"),
        ({"latency": 10.01}, "latency of one row, ms"),
        ({"size": 2_000_001}, "size, MB"),
        ({"calibration": float("nan")}, "calibration error"),
    ],
)
def test_a_guard_beyond_its_tolerance_stops_a_better_challenger(changes, failed):
    decision = decide(shown(1, [1.0] * 50), shown(2, [0.5] * 50, **changes))

    assert [check.name for check in decision.checks if not check.passed] == [failed]
    assert not decision.promotes
    assert failed in str(decision)


def test_guards_may_be_worse_up_to_their_tolerance():
    guards = {
        "calibration": 0.12,
        "segments": {"item unknown": 1.05},
        "latency": 10.0,
        "size": 2_000_000,
    }

    assert decide(shown(1, [1.0] * 50), shown(2, [0.5] * 50, **guards)).promotes


def test_failed_data_checks_stop_even_the_first_model():
    assert decide(None, shown(1, [1.0])).promotes
    assert not decide(None, shown(1, [1.0]), checks=(4, 5)).promotes
    assert not decide(None, shown(1, [1.0]), checks=(0, 0)).promotes


def test_a_challenger_that_scores_nan_never_wins():
    assert not decide(None, shown(1, [1.0, np.nan])).promotes
    assert not decide(shown(1, [1.0, 1.0]), shown(2, [0.1, np.nan])).promotes


@pytest.mark.parametrize("champion", [Unreadable(1, "no such file"), shown(1, [np.nan, 1.0])])
def test_an_unreadable_champion_blocks_only_where_the_policy_says_so(champion):
    replaced = decide(champion, shown(2, [0.5, 0.5]))
    kept = decide(champion, shown(2, [0.5, 0.5]), unreadable_champion="keep")

    assert replaced.promotes
    assert "champion version 1 cannot be scored" in str(replaced)
    assert not kept.promotes
    assert str(kept).startswith(
        "Version 1 stays champion: version 2 fails on loss. Champion version 1 cannot be scored ("
    )


def test_a_decision_survives_being_kept():
    decision = decide(shown(1, [1.0] * 9), shown(2, [0.5] * 9, latency=99.0))

    again = Decision.from_json(decision.to_json())

    assert again == decision
    assert str(again) == str(decision)
    assert decision.rows()[0]["passed"] == "yes"
    assert "| latency of one row, ms | 5 | 99 | 10 | NO |" in decision.markdown()


def test_a_model_is_summed_up_by_its_worst_segment():
    labels, scores = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5, 0.5])
    losses = np.array([4.0, 2.0, 1.0, 1.0])
    parts = {"first": np.array([1, 1, 0, 0], bool), "second": np.array([0, 0, 1, 1], bool)}

    found = showing(3, labels, scores, losses, parts, latency=1.0, size=9)

    assert found.segments == {"first": 3.0, "second": 1.0}
    assert found.worst_segment == ("first", 3.0)
    # One row a bin: each prediction misses its label by 0.5.
    assert found.calibration == pytest.approx(0.5)
