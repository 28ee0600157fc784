"""Data sets as params.yaml would describe them, for files that the tests write themselves."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from autorec_core.config import DatasetParams, PreprocessParams, SplitParams

RATINGS = """
title: Ratings
task: rating
file: ratings.csv
sha256: null
sources: [{kind: file, path: ratings.csv}]
format: {kind: delimited, separator: ",", header: true, quoted: false, columns: []}
label: rating
categorical: [user, item]
multi_valued: {}
numeric: []
ignored: []
user: user
item: item
time: null
sample: null
on_bad_rows: fail
max_bad_rows: 2
facts:
  label_values: [1.0, 2.0, 3.0]
  label_mean: null
  min_rows: 1
  unique: []
  ranges: {}
  max_psi: null
  warn_only: []
"""


@pytest.fixture
def entry():
    """Makes an entry for ratings of user and item; keyword arguments replace its keys."""

    def make(**changes: Any) -> DatasetParams:
        return DatasetParams.model_validate({**yaml.safe_load(RATINGS), **changes})

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
            "facts": {**yaml.safe_load(RATINGS)["facts"], "label_values": None},
        }
        return entry(**{**described, **changes})

    return make


@pytest.fixture
def split():
    return SplitParams(strategy="stratified", ratios=[0.8, 0.1, 0.1])


@pytest.fixture
def preprocess():
    return PreprocessParams(min_count=1, max_vocabulary=None, numeric="log", missing_flag=True)
