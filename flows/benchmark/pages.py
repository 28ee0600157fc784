"""Writes a benchmark's tables and pictures, and brings them into the pages that show them.

A page says where: between `<!-- benchmark: NAME -->` and `<!-- end of benchmark: NAME -->`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autorec_core.errors import DataError
from autorec_core.files import write_text
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
    """All tables of a folder of results, by the names that pages call them.

    Raises:
        DataError: The folder holds no results.
    """
    cells, truth, single = (read_lines(folder / name) for name in (CELLS, TRUTH, ALONE))
    if not cells and not truth and not single:
        raise DataError(f"{folder} holds no results: `autorec benchmark --output {folder}` first.")
    found = {}
    if cells:
        found["summary"] = summary_table(cells)
        found["tables"] = "\n\n".join(data_table(part) for part in sections(cells))
        found["runs"] = runs_said(read_lines(folder / RUNS), cells)
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
    """A page's text with every marked part written anew.

    Raises:
        DataError: A part has a name that no table has.
    """

    def write(part: re.Match[str]) -> str:
        name = part["name"]
        if name not in found:
            raise DataError(f"No results for the part {name!r} of a page.")
        return f"{part[1]}{found[name]}\n{part[3]}"

    return _PART.sub(write, page)


def write_tables(folder: Path) -> list[Path]:
    """Writes `tables.md` and a picture; for the committed results the pages too.

    Returns:
        What was written.

    Raises:
        DataError: The folder holds no results, or a page asks for what there is not.
    """
    found = tables(folder)
    written = [folder / "tables.md"]
    write_text(written[0], "\n\n".join(found.values()) + "\n")
    committed = folder.resolve() == COMMITTED.resolve()
    cells = read_lines(folder / CELLS)
    if cells:
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
