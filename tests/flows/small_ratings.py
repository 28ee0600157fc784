"""Made-up ratings, few enough for a model that trains in seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

DATASET = "small"
USERS, ITEMS = 40, 25


def ratings(rows: int, seed: int) -> pd.DataFrame:
    """Ratings that follow from user and item, with a little noise."""
    random = np.random.default_rng(seed)
    users, items = random.integers(0, USERS, rows), random.integers(0, ITEMS, rows)
    label = 3 + (users % 5 - 2) / 2 + (items % 3 - 1) / 2 + random.normal(0, 0.1, rows)
    return pd.DataFrame(
        {
            "user_id": [f"u{user}" for user in users],
            "item_id": [str(item) for item in items],
            "rating": np.clip(label, 1, 5).round(1),
        }
    )
