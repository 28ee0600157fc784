"""What passes from data to model: the schema, and the encoded rows themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Field:
    """One categorical column as a model sees it.

    Args:
        name: The column's name.
        vocabulary_size: Number of ids, "unknown" (id 0) included.
    """

    name: str
    vocabulary_size: int


@dataclass(frozen=True)
class ListField(Field):
    """A multi-valued column as a model sees it.

    Args:
        name: The column's name.
        vocabulary_size: Number of ids; id 0 is "unknown" and what stands where a list has ended.
        length: How many ids a row has; a longer list is cut.
        separator: What stands between two categories in a raw cell.
    """

    length: int
    separator: str


@dataclass(frozen=True)
class Schema:
    """All that a model must know of its data.

    Args:
        task: "rating" or "ctr".
        label: The label column's name.
        categorical: The categorical columns, in the order of the encoded ids.
        numeric: The numeric columns' names, in the order of the encoded numbers; the last of them
            may be 0/1 columns that say where a numeric column has a gap.
        user: The categorical column that holds the user, where there is one.
        item: The categorical column that holds the item, where there is one.
        label_range: The least and the greatest label of the training split.
        flags: How many of the numeric columns are such 0/1 columns, which raw rows do not have.
        lists: The multi-valued columns, whose ids stand behind those of the categorical columns.
        missing: What stands in raw rows, other than nothing, where a value is missing.
        positive: The labels of raw rows that are 1, where labels are words.
        negative: Those that are 0; if there are none, all others.
        decimal: The decimal sign of raw numbers that are not plainly written.
        time: The numeric column that holds times, where there is one; it counts seconds since 1970.
    """

    task: Literal["rating", "ctr"]
    label: str
    categorical: tuple[Field, ...]
    numeric: tuple[str, ...]
    user: str | None
    item: str | None
    label_range: tuple[float, float]
    flags: int = 0
    lists: tuple[ListField, ...] = ()
    missing: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    decimal: str | None = None
    time: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that raw rows must have to be encoded."""
        raw_numeric = self.numeric[: len(self.numeric) - self.flags]
        ids = [*self.categorical, *self.lists]
        return [*(field.name for field in ids), *raw_numeric]

    @property
    def vocabulary_columns(self) -> list[str]:
        """The columns that have a vocabulary, in the order in which these are saved."""
        return [field.name for field in (*self.categorical, *self.lists)]

    @property
    def id_columns(self) -> list[str]:
        """The names of the encoded ids' columns: one a category, `length` a list."""
        names = [field.name for field in self.categorical]
        taken = {*names, *self.numeric, self.label}
        for one in self.lists:
            for place in range(1, one.length + 1):
                names.append(unused_name(f"{one.name} {place}", taken))
                taken.add(names[-1])
        return names

    def first_place(self, one: ListField) -> int:
        """The place of a list's first id among the encoded ids."""
        before = self.lists[: self.lists.index(one)]
        return len(self.categorical) + sum(other.length for other in before)

    def to_dict(self) -> dict[str, Any]:
        """This schema as JSON-serialisable data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Schema:
        """The schema that `to_dict` described."""
        return cls(
            **{
                **content,
                "categorical": tuple(Field(**field) for field in content["categorical"]),
                "numeric": tuple(content["numeric"]),
                "lists": tuple(ListField(**one) for one in content.get("lists", ())),
                "label_range": tuple(content["label_range"]),
                **{key: tuple(content.get(key, ())) for key in ("missing", "positive", "negative")},
            }
        )

    def position(self, column: str) -> int:
        """The place of a categorical column among the encoded ids."""
        return [field.name for field in self.categorical].index(column)


def unused_name(wished: str, taken: Collection[str]) -> str:
    """The name wished for a column of our own, or one like it where a column has that name."""
    name = wished
    while name in taken:
        name += "_"
    return name


@dataclass(frozen=True)
class Examples:
    """Encoded rows, in memory or memory-mapped.

    Args:
        categorical: int32 ids, shape (rows, id columns): one a categorical column, then those of
            each list; id 0 is "unknown".
        numeric: float32 numbers, shape (rows, numeric columns).
        label: float32 labels, shape (rows,).
    """

    categorical: np.ndarray
    numeric: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    @staticmethod
    def joined(first: Examples, second: Examples) -> Examples:
        """The rows of both."""
        return Examples(
            np.concatenate([first.categorical, second.categorical]),
            np.concatenate([first.numeric, second.numeric]),
            np.concatenate([first.label, second.label]),
        )

    def inputs(self) -> dict[str, np.ndarray]:
        """The arrays by the name of the model input they feed; kinds without columns are absent."""
        both = {"categorical": self.categorical, "numeric": self.numeric}
        return {name: array for name, array in both.items() if array.shape[1]}
