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
        top: The largest number of items for each user.
        candidates: A file with the item column; None for all items that the model was
            trained on.
        exclude: "seen" leaves out the items that a user has met in the prepared data; "none" leaves
            out nothing. A file with the item column leaves out its items for all users; if it has
            the user column too, each row is only for its user.
        where: A condition on the columns of items, such as "genre = 'Drama'"; None for all items.
    """

    users: Path | None
    top: int = TOP
    candidates: Path | None = None
    exclude: str = SEEN
    where: str | None = None
