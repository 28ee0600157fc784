"""Reads the files of the Netflix Prize: a line for each movie, and below it the movie's ratings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.delimited import Layout, Piece, TextRows
from autorec_core.data.reading.lines import Block


@dataclass(frozen=True)
class MoviePiece(Piece):
    """Rating lines of a Netflix Prize file, without the movie lines between them.

    Args:
        name: The name of the movie column.
        heads: The int64 numbers of the movie lines, shape (movies,).
        movies: The movie of the lines before the first movie line, if known, and then the movie of
            each movie line.
        no_movies: Number and text of the lines that end in ":" but are not movie lines.
    """

    name: str
    heads: np.ndarray
    movies: tuple[str | None, ...]
    no_movies: tuple[tuple[int, str], ...]

    def rows(self, bad: BadRows, numbers: Collection[str] = ()) -> TextRows:
        """Divides the lines into fields; `bad` collects lines that are no movie and no rating."""
        file = self.layout.file
        for line, text in self.no_movies:
            bad.add(file, line, "a line that ends in ':' but is not a movie number", text)
        parsed = super().rows(bad, numbers)
        above = np.searchsorted(self.heads, parsed.lines)
        if self.movies[0] is None and (orphans := above == 0).any():
            for line in parsed.lines[orphans]:
                bad.add(file, int(line), "a rating above the first movie line")
            parsed = TextRows(parsed.table.filter(pa.array(~orphans)), parsed.lines[~orphans])
            above = above[~orphans]
        column = pa.array(self.movies, pa.string()).take(pa.array(above))
        return TextRows(parsed.table.add_column(0, self.name, column), parsed.lines)


def read_netflix(
    file: Path, blocks: Iterator[Block], *, names: Sequence[str], missing: Sequence[str] = ()
) -> Iterator[MoviePiece]:
    """Reads a Netflix Prize file in pieces.

    Each `movie:` line is followed by the movie's `user,rating,date` lines.

    Args:
        file: The file, for messages.
        blocks: Its lines.
        names: The names of the columns of movie, user, rating and date.
        missing: The words that mean a missing value.
    """
    layout = Layout(file, tuple(names[1:]), ",", quoted=False, missing=tuple(missing))
    movie: str | None = None
    for block in blocks:
        content = block.content
        buffer = np.frombuffer(content, dtype=np.uint8)
        ends = np.flatnonzero(buffer == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1])
        lines = np.arange(block.first_line, block.first_line + len(ends), dtype=np.int64)
        heads = np.flatnonzero((ends > starts) & (buffer[ends - 1] == ord(":")))
        movies: list[str | None] = [movie]
        no_movies: list[tuple[int, str]] = []
        for head in heads:
            text = content[starts[head] : ends[head] - 1]
            if text.isdigit():
                movie = text.decode("ascii")
            else:
                no_movies.append((int(lines[head]), text.decode("utf-8", "replace")))
            movies.append(movie)
        is_row = np.ones(len(ends), dtype=bool)
        is_row[heads] = False
        cuts = [0, *(edge for head in heads for edge in (starts[head], ends[head] + 1)), None]
        rows = b"".join(content[cuts[i] : cuts[i + 1]] for i in range(0, len(cuts), 2))
        yield MoviePiece(
            layout,
            rows,
            lines[is_row],
            int(lines[-1]),
            names[0],
            lines[heads],
            tuple(movies),
            tuple(no_movies),
        )
