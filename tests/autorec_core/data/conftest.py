"""Entries, as in params.yaml, for files that the tests write."""

from __future__ import annotations

from typing import Any

import pytest
from entries import ratings_entry

from autorec_core.config import DatasetParams, PreprocessParams, SplitParams


@pytest.fixture
def entry():
    """Makes an entry for ratings of user and item; keyword arguments replace its keys."""

    def make(**changes: Any) -> DatasetParams:
        return ratings_entry(**changes)

    return make


@pytest.fixture
def clicks(entry):
    """An entry for clicks with two categories and two numbers."""

    def make(**changes: Any) -> DatasetParams:
        described = {
            "task": "ctr",
            "label": "click",
            "categorical": ["site", "device"],
            "numeric": ["price", "age"],
            "user": None,
            "item": None,
            "facts": {"label_values": None},
        }
        return entry(**{**described, **changes})

    return make


@pytest.fixture
def split():
    return SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])


@pytest.fixture
def preprocess():
    return PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
