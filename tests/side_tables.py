"""A small shop whose ratings depend on facts about users and items, in tables of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

USERS: dict[str, Any] = {
    "joins": "user",
    "key": "id",
    "file": "users.csv",
    "sha256": None,
    "sources": [{"kind": "file", "path": "users.csv"}],
    "format": {
        "kind": "delimited",
        "separator": ",",
        "header": True,
        "quoted": False,
        "columns": [],
    },
    "categorical": ["town"],
    "multi_valued": {},
    "numeric": ["age"],
    "ignored": ["mail"],
    "title": None,
}
ITEMS: dict[str, Any] = {
    "joins": "item",
    "key": "item",
    "file": "items.parquet",
    "sha256": None,
    "sources": [{"kind": "file", "path": "items.parquet"}],
    "format": {"kind": "parquet"},
    "categorical": ["brand"],
    "multi_valued": {"kinds": {"separator": "|", "max_length": 2}},
    "numeric": ["price"],
    "ignored": [],
    "title": "name",
}
TABLES = {"users": USERS, "items": ITEMS}


def users() -> pd.DataFrame:
    """Users 0 to 39. Some towns and ages are missing; the rows have users 40 and 41 too."""
    ids = np.arange(40)
    towns = [("Ede", "Gouda", "Delft", "")[one % 4] for one in ids]
    ages = [str(20 + one) if one % 7 else "" for one in ids]
    return pd.DataFrame({"id": ids, "town": towns, "age": ages, "mail": "x"})


def items() -> pd.DataFrame:
    """Items 0 to 59, of which the rows have 0 to 54. The ids are whole floats, as pandas writes."""
    ids = np.arange(60)
    kinds = [("a|b", "b", None, "c|a|d")[one % 4] for one in ids]
    return pd.DataFrame(
        {
            "item": ids.astype(float),
            "brand": [f"brand {one % 5}" for one in ids],
            "kinds": kinds,
            "price": np.where(ids % 6 == 0, np.nan, ids * 1.5),
            "name": [f"Thing {one}" for one in ids],
        }
    )


def ratings(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Ratings from 1 to 3 that depend on the user's age and the item's brand."""
    random = np.random.default_rng(seed)
    user, item = random.integers(0, 42, rows), random.integers(0, 55, rows)
    score = 2 + (user > 20) * 0.8 - (item % 5 == 0) * 1.2 + random.normal(0, 0.4, rows)
    return pd.DataFrame({"user": user, "item": item, "rating": np.clip(score.round(), 1, 3)})


def write_sources(folder: Path) -> None:
    """Writes the three files as a user has them."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings().to_csv(folder / "ratings.csv", index=False)
    users().to_csv(folder / "users.csv", index=False)
    items().to_parquet(folder / "items.parquet")


def write_raw(folder: Path) -> Path:
    """Writes the three files as the stage `fetch` does; returns the raw file."""
    write_sources(folder)
    for name, file in (("users", "users.csv"), ("items", "items.parquet")):
        (folder / "tables" / name).mkdir(parents=True)
        (folder / file).rename(folder / "tables" / name / file)
    return folder / "ratings.csv"


def joined_by_hand() -> pd.DataFrame:
    """The ratings with the facts in every row, joined by pandas."""
    facts = items().astype({"item": int}).drop(columns="name")
    together = ratings().merge(facts, on="item", how="left")
    return together.merge(users().drop(columns="mail"), left_on="user", right_on="id", how="left")
