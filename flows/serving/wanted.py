"""Which lists `autorec recommend` writes; imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TOP = 10
SEEN: Literal["seen"] = "seen"
NOTHING: Literal["none"] = "none"


@dataclass(frozen=True)
class Wanted:
    """Which lists are wanted.

    Args:
        users: A file with the user column and what else goes with each user; None for all users
            that the model was trained on.
        top: Items a user gets at most.
        candidates: A file with the item column; None for all items the model was trained on.
        exclude: "seen" for what a user has met in the prepared data, "none", or a file: with the
            item column alone for everybody, with the user column too for each user.
        where: A condition on the columns of items, such as "genre = 'Drama'"; None for all items.
    """

    users: Path | None
    top: int = TOP
    candidates: Path | None = None
    exclude: str = SEEN
    where: str | None = None
