"""A data set as params.yaml describes one, for files that the tests write themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from autorec_core.config import DatasetParams

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
tables: {}
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


def ratings_entry(facts: Mapping[str, Any] | None = None, **changes: Any) -> DatasetParams:
    """An entry for ratings of user and item, some of its facts and keys replaced."""
    described = yaml.safe_load(RATINGS)
    described["facts"] |= dict(facts or {})
    return DatasetParams.model_validate({**described, **changes})
