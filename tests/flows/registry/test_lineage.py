"""The data checks in a version's lineage, and those that the gate requires."""

from __future__ import annotations

from typing import Any

from flows.registry.lineage import data_checks, required_checks


def document(*outcomes: tuple[str, bool]) -> dict[str, Any]:
    """A lineage whose raw data met, or did not meet, expectations of some severities."""
    found = [{"severity": severity, "success": success} for severity, success in outcomes]
    return {"checks": {"raw": {"expectations": found}, "splits": {"expectations": []}}}


def test_a_failed_warning_is_counted_but_does_not_bind():
    drifted = document(("error", True), ("error", True), ("warning", False), ("warning", True))

    assert data_checks(drifted) == (3, 4)
    assert required_checks(drifted) == (2, 2)


def test_a_failed_error_binds():
    assert required_checks(document(("error", True), ("error", False))) == (1, 2)
