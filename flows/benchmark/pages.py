"""Writes a benchmark's tables and pictures, and updates the pages that show them.

A table replaces the text between `<!-- benchmark: NAME -->` and `<!-- end of benchmark: NAME -->`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autorec_core.errors import DataError
from autorec_core.files import write_text
from flows.benchmark.protocol_table import protocol_tables, published_table, without_protocols
from flows.benchmark.result_lines import ALONE, CELLS, RUNS, TRUTH, TRUTH_RUNS, read_lines
from flows.benchmark.tables import data_table, runs_said, sections, summary_table
from flows.benchmark.truth_table import (
    alone_table,
    told_apart_table,
    truth_table,
    winners_table,
)

COMMITTED = Path("benchmarks/results/benchmark")
"""The results whose tables the pages show."""
PAGES = (Path("README.md"), Path("docs/benchmark.md"))
PICTURES = Path("docs/images")
_PART = re.compile(
    r"(<!-- benchmark: (?P<name>[\w-]+) -->\n).*?(<!-- end of benchmark: (?P=name) -->)",
    re.DOTALL,
)


def tables(folder: Path) -> dict[str, str]:
    """Returns all tables of a folder of results, by their names in the pages.

    Raises:
        DataError: The folder has no results.
    """
    every, truth, single = (read_lines(folder / name) for name in (CELLS, TRUTH, ALONE))
    if not every and not truth and not single:
        raise DataError(
            f"{folder} has no results. Run `autorec benchmark --output {folder}` first."
        )
    found = {"published": published_table()}
    if every:
        found["runs"] = runs_said(read_lines(folder / RUNS), every)
    if protocols := protocol_tables(every):
        found["protocols"] = protocols
    if cells := without_protocols(every):
        found["summary"] = summary_table(cells)
        found["tables"] = "\n\n".join(data_table(part) for part in sections(cells))
    if truth:
        found["truth"] = truth_table(truth)
        found["winners"] = winners_table(truth)
    if single:
        found["told-apart"] = told_apart_table(single)
        found["alone"] = alone_table(single)
    if truth or single:
        found["truth-runs"] = runs_said(read_lines(folder / TRUTH_RUNS), [*truth, *single])
    return found


def filled(page: str, found: Mapping[str, str]) -> str:
    """Replaces every marked part of a page's text with its table.

    Raises:
        DataError: There is no table with the name of a part.
    """

    def write(part: re.Match[str]) -> str:
        name = part["name"]
        if name not in found:
            raise DataError(f"No results for the part {name!r} of a page.")
        return f"{part[1]}{found[name]}\n{part[3]}"

    return _PART.sub(write, page)


def write_tables(folder: Path) -> list[Path]:
    """Writes `tables.md` and a picture, and updates the pages if these are the committed results.

    Returns:
        The files that were written.

    Raises:
        DataError: The folder has no results, or a page names a table that does not exist.
    """
    found = tables(folder)
    written = [folder / "tables.md"]
    write_text(written[0], "\n\n".join(found.values()) + "\n")
    committed = folder.resolve() == COMMITTED.resolve()
    if cells := without_protocols(read_lines(folder / CELLS)):
        from flows.benchmark.picture import draw

        written.append((PICTURES if committed else folder) / "benchmark.svg")
        draw(sections(cells), written[-1])
    if committed:
        written += _fill(PAGES, found)
    return written


def _fill(pages: Sequence[Path], found: Mapping[str, str]) -> list[Path]:
    changed = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        new = filled(text, found)
        if new != text:
            write_text(page, new)
            changed.append(page)
    return changed
