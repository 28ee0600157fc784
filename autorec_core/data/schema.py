"""The schema and the encoded rows: what a model gets from the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Field:
    """One categorical column.

    Args:
        name: The column's name.
        vocabulary_size: Number of ids, "unknown" (id 0) included.
    """

    name: str
    vocabulary_size: int


@dataclass(frozen=True)
class ListField(Field):
    """One multi-valued column.

    Args:
        name: The column's name.
        vocabulary_size: Number of ids; id 0 means "unknown" or, at the end of a list, no category.
        length: Number of ids in each row; longer lists are cut.
        separator: The text between two categories in a raw cell.
    """

    length: int
    separator: str


@dataclass(frozen=True)
class Sampling:
    """How items are sampled that a user did not take.

    Args:
        per_positive: Number of sampled items for each row.
        by: "uniform", or "popularity" for in proportion to an item's rows.
    """

    per_positive: int
    by: str


@dataclass(frozen=True)
class TableField:
    """One side table, whose columns the model reads as if the rows had them.

    Args:
        name: The table's name.
        joins: The categorical column that holds its keys.
        columns: Its columns, which are also among the schema's columns.
    """

    name: str
    joins: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """What a model must know about its data: columns, vocabulary sizes and task.

    Args:
        task: "rating", "ctr" or "ranking".
        label: The label column's name. For ranking, the label is the strength of an interaction.
        categorical: The categorical columns, in the order of the encoded ids.
        numeric: The names of the numeric columns, in the order of the encoded numbers. The last
            ones may be 0/1 columns that say where a numeric column has a missing value.
        user: The categorical column that holds the user, if there is one.
        item: The categorical column that holds the item, if there is one.
        label_range: The smallest and the greatest label of the training split.
        flags: Number of those 0/1 columns, which raw rows do not have.
        lists: The multi-valued columns. Their ids come after those of the categorical columns.
        missing: The words that mean a missing value in raw rows.
        positive: The words that become label 1, if the labels of raw rows are words.
        negative: The words that become label 0; if empty, all other words.
        decimal: The decimal sign of formatted raw numbers; None if numbers are plain.
        time: The numeric column that holds times, if there is one, in seconds since 1970.
        negatives: For ranking, how items are sampled that a user did not take.
        tables: The side tables. Raw rows do not have their columns.
        clock: The column whose times yield time features; None without time features.
        time_features: Each time feature and its column. Raw rows do not have these columns.
    """

    task: Literal["rating", "ctr", "ranking"]
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
    negatives: Sampling | None = None
    tables: tuple[TableField, ...] = ()
    clock: str | None = None
    time_features: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that raw rows must have to be encoded."""
        raw_numeric = self.numeric[: len(self.numeric) - self.flags]
        names = [*(field.name for field in (*self.categorical, *self.lists)), *raw_numeric]
        made = {*self.joined, *self.time_columns}
        needed = [name for name in names if name not in made]
        clock = [] if self.clock is None or self.clock in needed else [self.clock]
        return [*needed, *clock]

    @property
    def time_columns(self) -> list[str]:
        """The columns of the time features."""
        return [name for _, name in self.time_features]

    @property
    def user_day(self) -> str | None:
        """The categorical column of users and days, if there is one."""
        return dict(self.time_features).get("user_day")

    @property
    def joined(self) -> dict[str, str]:
        """The columns of the side tables, each with the column that holds its table's keys."""
        return {name: table.joins for table in self.tables for name in table.columns}

    @property
    def vocabulary_columns(self) -> list[str]:
        """The columns that have a vocabulary, in the order of the saved files."""
        return [field.name for field in (*self.categorical, *self.lists)]

    @property
    def id_columns(self) -> list[str]:
        """The columns of encoded ids: one for a categorical column, `length` for a list."""
        names = [field.name for field in self.categorical]
        taken = {*names, *self.numeric, self.label}
        for one in self.lists:
            for place in range(1, one.length + 1):
                names.append(unused_name(f"{one.name} {place}", taken))
                taken.add(names[-1])
        return names

    def first_place(self, one: ListField) -> int:
        """Returns the place of a list's first id among the encoded ids."""
        before = self.lists[: self.lists.index(one)]
        return len(self.categorical) + sum(other.length for other in before)

    def to_dict(self) -> dict[str, Any]:
        """Returns this schema as JSON-serialisable data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Schema:
        """Makes a schema from what `to_dict` returned."""
        return cls(
            **{
                **content,
                "categorical": tuple(Field(**field) for field in content["categorical"]),
                "numeric": tuple(content["numeric"]),
                "lists": tuple(ListField(**one) for one in content.get("lists", ())),
                "tables": tuple(
                    TableField(**{**one, "columns": tuple(one["columns"])})
                    for one in content.get("tables", ())
                ),
                "time_features": tuple(tuple(one) for one in content.get("time_features", ())),
                "label_range": tuple(content["label_range"]),
                "negatives": Sampling(**found) if (found := content.get("negatives")) else None,
                **{key: tuple(content.get(key, ())) for key in ("missing", "positive", "negative")},
            }
        )

    def position(self, column: str) -> int:
        """Returns the place of a categorical column among the encoded ids."""
        return [field.name for field in self.categorical].index(column)


def unused_name(wished: str, taken: Collection[str]) -> str:
    """Returns `wished`, or if that name is taken, a similar name that is not."""
    name = wished
    while name in taken:
        name += "_"
    return name


@dataclass(frozen=True)
class Examples:
    """Encoded rows, in memory or memory-mapped.

    Args:
        categorical: int32 ids, shape (rows, id columns): one for each categorical column, then
            those of each list; id 0 is "unknown".
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
        """Returns the rows of `first` and then those of `second`."""
        return Examples(
            np.concatenate([first.categorical, second.categorical]),
            np.concatenate([first.numeric, second.numeric]),
            np.concatenate([first.label, second.label]),
        )

    def inputs(self) -> dict[str, np.ndarray]:
        """Returns the arrays by the name of their model input, without those that are empty."""
        both = {"categorical": self.categorical, "numeric": self.numeric}
        return {name: array for name, array in both.items() if array.shape[1]}
