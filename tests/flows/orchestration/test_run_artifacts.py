"""What a run shows of the data checks: counts and names, never a value of the data."""

from __future__ import annotations

from typing import Any

from flows.orchestration.run_artifacts import check_rows


def outcome(table: str, expectation: str, column: str, severity: str, success: bool) -> Any:
    return {
        "table": table,
        "expectation": expectation,
        "column": column,
        "severity": severity,
        "success": success,
    }


def test_each_table_has_a_row_with_its_failures_apart_from_its_warnings():
    found = {
        "expectations": [
            outcome("rows", "not_null", "rating", "error", True),
            outcome("rows", "in_set", "rating", "error", False),
            outcome("rows", "between", "age", "warning", False),
            outcome("splits", "not_null", "rating", "error", True),
        ]
    }

    assert check_rows("raw", found) == [
        {
            "stage": "raw",
            "table": "rows",
            "expectations": 3,
            "failed": "in_set(rating)",
            "warnings": "between(age)",
        },
        {
            "stage": "raw",
            "table": "splits",
            "expectations": 1,
            "failed": "none",
            "warnings": "none",
        },
    ]
