"""Rows of users with any items: the columns of an item are taken from the item's own rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ItemRows:
    """What an item's columns hold, for each item.

    A column belongs to the item if it has one value in all rows of each item. All others belong to
    the user or to the moment.

    Args:
        items: The encoded items in rising order, without id 0, shape (items,).
        rows: For each input with columns, a row for each id of an item: shape (ids, columns).
        own: For each of these inputs, which columns belong to the item, bool, shape (columns,).
    """

    items: np.ndarray
    rows: Arrays
    own: Arrays

    @classmethod
    def of(cls, inputs: Arrays, users: np.ndarray, items: np.ndarray) -> ItemRows:
        """Finds the columns of items.

        Args:
            inputs: Encoded rows by input; only inputs of shape (rows, columns) have such columns.
            users: The encoded user of each row, shape (rows,). Their column is never the item's,
                even if each item has one user.
            items: The encoded item of each row, shape (rows,).
        """
        ids, first = np.unique(items, return_index=True)
        place = np.searchsorted(ids, items)
        rows, own = {}, {}
        for name, array in inputs.items():
            if array.ndim != 2:
                continue
            table = np.zeros((int(ids[-1]) + 1, array.shape[1]), array.dtype)
            table[ids] = array[first]
            rows[name] = table
            own[name] = np.array(
                [
                    not np.array_equal(column, users)
                    and bool((column == column[first][place]).all())
                    for column in array.T
                ],
                bool,
            )
        return cls(ids[ids > 0], rows, own)

    def with_users(self, users: Arrays, first: int, last: int) -> dict[str, np.ndarray]:
        """Returns the rows of some users with all items.

        Args:
            users: A row for each user by input.
            first: The first user.
            last: The user after the last one.

        Returns:
            Arrays of shape (users * items, ...), user by user.
        """
        count = len(self.items)
        made = {}
        for name, array in users.items():
            theirs = array[first:last]
            if name in self.own:
                own = self.own[name]
                made[name] = crossed(theirs, self.rows[name][self.items], ~own, own)
            else:
                made[name] = np.repeat(theirs, count, axis=0)
        return made


def crossed(
    left: np.ndarray, right: np.ndarray, of_left: np.ndarray, of_right: np.ndarray
) -> np.ndarray:
    """Returns every row of the left with every row of the right.

    Args:
        left: Shape (left rows, columns).
        right: Shape (right rows, columns).
        of_left: Which columns come from the left, bool, shape (columns,).
        of_right: Which columns come from the right.

    Returns:
        Shape (left rows * right rows, columns), the rows of one left row together.
    """
    made = np.empty((len(left), len(right), left.shape[1]), left.dtype)
    made[:, :, of_left] = left[:, None, of_left]
    made[:, :, of_right] = right[None, :, of_right]
    return made.reshape(len(left) * len(right), left.shape[1])
