"""What the report may put side by side."""

from __future__ import annotations

import dataclasses

from flows.registry.decision import TEST_ROWS, Check


def test_a_champion_judged_on_some_rows_is_not_drawn_with_losses_on_all_rows(rating_run):
    decision = rating_run.decision
    some = Check(TEST_ROWS, None, 120, None, True, "120 of 1,000 count")
    every = dataclasses.replace(some, challenger=None, detail="all 1,000 count")

    def told(check):
        checks = (*decision.checks, check)
        return dataclasses.replace(
            rating_run, decision=dataclasses.replace(decision, checks=checks)
        ).contest

    assert rating_run.contest is not None
    assert told(every) == rating_run.contest
    assert told(some) is None
